package dynamodb

import "strings"

// changesOfTable are the members of an UpdateTable that change something, as the service lists them; three of the names
// are its own.
const changesOfTable = "ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, " +
	"MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass"

// checkUpdateTable checks what needs no table.
func checkUpdateTable(r request) error {
	if err := refuseUnsupported(r); err != nil {
		return err
	}
	changes := presentChanges(r)
	updates := r.objects("GlobalSecondaryIndexUpdates")
	switch {
	case len(changes) == 0:
		return invalid("At least one of %s is required", changesOfTable)
	case r.has("GlobalSecondaryIndexUpdates") && len(updates) == 0:
		return invalidParameter("List of GlobalSecondaryIndexUpdates is empty")
	}
	for _, check := range []func() error{
		func() error { return checkIndexUpdates(updates) },
		func() error { return checkCombination(changes, r.str("BillingMode"), updates) },
		func() error { return checkClass(r) },
		func() error { return checkBilling(r) },
		func() error { return checkEncryption(r.object("SSESpecification")) },
		func() error { return checkStreamUpdate(r.object("StreamSpecification")) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// presentChanges are the members of the request that change something: lists and pairs of bounds without content do not.
func presentChanges(r request) map[string]bool {
	changes := map[string]bool{}
	for _, m := range []string{"ProvisionedThroughput", "BillingMode", "StreamSpecification", "SSESpecification", "DeletionProtectionEnabled", "TableClass"} {
		if r.has(m) {
			changes[m] = true
		}
	}
	if len(r.list("GlobalSecondaryIndexUpdates")) > 0 {
		changes["GlobalSecondaryIndexUpdates"] = true
	}
	for _, p := range []unitPair{onDemandUnits, warmUnits} {
		if readUnits(r, p) != nil {
			changes[p.member] = true
		}
	}
	return changes
}

// loners are the changes that an update makes alone, in the order in which the service finds them.
var loners = []struct{ member, what string }{
	{"SSESpecification", "Server-Side Encryption modification"},
	{"TableClass", "TableClass modification"},
	{"DeletionProtectionEnabled", "DeletionProtection modification"},
	{"WarmThroughput", "WarmThroughput"},
}

// checkCombination checks that the changes can be made by one update.
func checkCombination(changes map[string]bool, mode string, updates []request) error {
	structural, creates := false, false
	for _, u := range updates {
		structural = structural || !u.has("Update")
		creates = creates || u.has("Create")
	}
	for _, l := range loners {
		if !changes[l.member] || len(changes) == 1 {
			continue
		}
		if l.member == "WarmThroughput" && creates {
			return invalidParameter("Create global secondary index cannot be specified when updating WarmThroughput")
		}
		return invalidParameter("%s must be the only operation in the request", l.what)
	}
	iops := changes["ProvisionedThroughput"] || mode == "PROVISIONED"
	switch {
	case changes["OnDemandThroughput"] && len(changes) > 1 && !(len(changes) == 2 && changes["BillingMode"]):
		return invalidParameter("OnDemandThroughput can only be combined with BillingMode in an UpdateTable request")
	case changes["StreamSpecification"] && iops:
		return invalidParameter("You cannot modify stream status while updating table IOPS")
	case structural && iops:
		return invalidParameter("You cannot create or delete index while updating table IOPS")
	case structural && changes["StreamSpecification"]:
		return invalidParameter("You cannot create or delete index while changing stream status")
	}
	return nil
}

func checkBilling(r request) error {
	mode := r.str("BillingMode")
	if mode == "PROVISIONED" && !r.has("ProvisionedThroughput") {
		return invalidParameter("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
	}
	if !r.has("ProvisionedThroughput") {
		return nil
	}
	return checkThroughput(r, mode, "")
}

func checkIndexUpdates(updates []request) error {
	actions := []string{"Update", "Create", "Delete"}
	seen := map[string]bool{}
	structural := 0
	for _, u := range updates {
		kinds := present(u, actions)
		switch {
		case len(kinds) == 0:
			return invalidParameter("One of GlobalSecondaryIndexUpdate.%s must not be null", strings.Join(actions, ", GlobalSecondaryIndexUpdate."))
		case len(kinds) > 1:
			return invalidParameter("Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object")
		}
		action := u.object(kinds[0])
		name := action.str("IndexName")
		if seen[name] {
			return invalidParameter("Only one global secondary index update per index is allowed simultaneously. Index: %s", name)
		}
		seen[name] = true
		if kinds[0] != "Update" {
			structural++
		}
		if err := checkUnits(action, name); err != nil {
			return err
		}
		if kinds[0] == "Update" && action.has("WarmThroughput") && readUnits(action, warmUnits) == nil {
			return invalidParameter("WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified for index: %s", name)
		}
	}
	if structural > 1 {
		return failure("LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	}
	return nil
}
