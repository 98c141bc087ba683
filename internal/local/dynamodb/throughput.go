package dynamodb

func readThroughput(r request) throughput {
	p := r.object("ProvisionedThroughput")
	return throughput{Read: p.integer("ReadCapacityUnits"), Write: p.integer("WriteCapacityUnits")}
}

// checkThroughput checks capacity units against the billing mode; forIndex names the index, if it is one's.
func checkThroughput(r request, mode, forIndex string) error {
	given := r.has("ProvisionedThroughput")
	switch {
	case mode == "PAY_PER_REQUEST" && given && forIndex == "":
		return invalidParameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case mode == "PAY_PER_REQUEST" && given:
		return invalidParameter("ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", forIndex)
	case mode == "PROVISIONED" && !given && forIndex == "":
		return invalidParameter("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	case mode == "PROVISIONED" && !given:
		return invalidParameter("ProvisionedThroughput is not specified for index: %s", forIndex)
	}
	return checkUnits(r, forIndex)
}

// checkUnits refuses more capacity than the service can be asked for.
func checkUnits(r request, forIndex string) error {
	suffix := ""
	if forIndex != "" {
		suffix = " for index " + forIndex
	}
	p := readThroughput(r)
	if p.Read > maxProvisioned {
		return invalid("Given value %d for ReadCapacityUnits is out of bounds%s", p.Read, suffix)
	}
	if p.Write > maxProvisioned {
		return invalid("Given value %d for WriteCapacityUnits is out of bounds%s", p.Write, suffix)
	}
	return nil
}

// unitPair names a member of requests that has a bound for reads and one for writes.
type unitPair struct{ member, read, write string }

var (
	onDemandUnits = unitPair{"OnDemandThroughput", "MaxReadRequestUnits", "MaxWriteRequestUnits"}
	warmUnits     = unitPair{"WarmThroughput", "ReadUnitsPerSecond", "WriteUnitsPerSecond"}
)

// unset is the bound that was not given, and the one that takes a bound away.
const unset = -1

// readUnits reads a pair; nil when neither bound was given.
func readUnits(r request, p unitPair) *throughput {
	spec := r.object(p.member)
	if !spec.has(p.read) && !spec.has(p.write) {
		return nil
	}
	u := &throughput{Read: unset, Write: unset}
	if spec.has(p.read) {
		u.Read = spec.integer(p.read)
	}
	if spec.has(p.write) {
		u.Write = spec.integer(p.write)
	}
	return u
}

// checkOnDemand checks the bounds of an on-demand table or, when index is not "", of its index. Only an update may take
// bounds away.
func checkOnDemand(r request, mode, index string, update bool) error {
	spec := r.object(onDemandUnits.member)
	for _, name := range []string{onDemandUnits.read, onDemandUnits.write} {
		if !spec.has(name) || mode != "PROVISIONED" {
			continue
		}
		of := ""
		if index != "" {
			of = " for index: " + index
		}
		if update {
			return invalidParameter("%s for OnDemandThroughput%s cannot be specified when the table BillingMode is PROVISIONED", name, of)
		}
		return invalidParameter("%s for OnDemandThroughput%s cannot be specified when table BillingMode is PROVISIONED.", name, of)
	}
	of := "table"
	if index != "" {
		of = "index : " + index
	}
	for _, name := range []string{onDemandUnits.read, onDemandUnits.write} {
		n := spec.integer(name)
		if spec.has(name) && n < 1 && !(update && n == unset) {
			return invalidParameter("Requested %s for OnDemandThroughput for %s is outside of valid range", name, of)
		}
	}
	return nil
}

// changeOnDemand gives the bounds after an update, nil when there are none left.
func changeOnDemand(was *throughput, r request) *throughput {
	spec := r.object(onDemandUnits.member)
	is := throughput{Read: unset, Write: unset}
	if was != nil {
		is = *was
	}
	if spec.has(onDemandUnits.read) {
		is.Read = spec.integer(onDemandUnits.read)
	}
	if spec.has(onDemandUnits.write) {
		is.Write = spec.integer(onDemandUnits.write)
	}
	if is.Read == unset && is.Write == unset {
		return nil
	}
	return &is
}

// What an on-demand table is warm for from the start.
const (
	warmReads  = 12000
	warmWrites = 4000
)

const initialThroughput = "initial throughput for OnDemand. See: " +
	"https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial"

// checkWarm checks what a new table or index is to be warm for.
func checkWarm(r request, mode, of string) error {
	if mode == "PAY_PER_REQUEST" {
		return checkWarmFloor(r, throughput{Read: warmReads, Write: warmWrites}, of, initialThroughput, initialThroughput)
	}
	return checkWarmFloor(r, readThroughput(r), of, "ReadCapacityUnits of ProvisionedThroughput", "WriteCapacityUnits of ProvisionedThroughput")
}

func checkWarmFloor(r request, floor throughput, of, readFloor, writeFloor string) error {
	spec := r.object(warmUnits.member)
	const low = "Requested %s for WarmThroughput for %s is lower than %s"
	switch {
	case spec.has(warmUnits.read) && spec.integer(warmUnits.read) < floor.Read:
		return invalidParameter(low, warmUnits.read, of, readFloor)
	case spec.has(warmUnits.write) && spec.integer(warmUnits.write) < floor.Write:
		return invalidParameter(low, warmUnits.write, of, writeFloor)
	}
	return nil
}

// changeWarm gives what a table or index is warm for after an update, which cannot take anything away.
func changeWarm(r request, is throughput, of string) (*throughput, error) {
	const current = "current WarmThroughput, decreasing WarmThroughput is not supported"
	if err := checkWarmFloor(r, is, of, current, current); err != nil {
		return nil, err
	}
	return raised(is, readUnits(r, warmUnits)), nil
}

// raised is the larger of both in reads and in writes. Bounds that are not set are lower than all others.
func raised(a throughput, b *throughput) *throughput {
	u := &throughput{Read: a.Read, Write: a.Write}
	if b != nil {
		u.Read, u.Write = max(a.Read, b.Read), max(a.Write, b.Write)
	}
	return u
}

// warmth is what a table or index is warm for: what it was made so or was provisioned with at most.
func warmth(given *throughput, mode string, provisioned throughput) throughput {
	if mode == "PAY_PER_REQUEST" {
		provisioned = throughput{Read: warmReads, Write: warmWrites}
	}
	return *raised(provisioned, given)
}

// checkCapacitySettings checks the bounds of a new table and its indexes.
func checkCapacitySettings(r request, mode string) error {
	if err := checkOnDemand(r, mode, "", false); err != nil {
		return err
	}
	if err := checkWarm(r, mode, "table"); err != nil {
		return err
	}
	for _, spec := range r.objects("GlobalSecondaryIndexes") {
		name := spec.str("IndexName")
		if err := checkThroughput(spec, mode, name); err != nil {
			return err
		}
		if err := checkOnDemand(spec, mode, name, false); err != nil {
			return err
		}
		if err := checkWarm(spec, mode, "index "+name); err != nil {
			return err
		}
	}
	return nil
}

func describeThroughput(t throughput) object {
	o := object{"ReadCapacityUnits": t.Read, "WriteCapacityUnits": t.Write, "NumberOfDecreasesToday": t.Decreases}
	setTime(o, "LastIncreaseDateTime", t.LastIncreaseTime)
	setTime(o, "LastDecreaseDateTime", t.LastDecreaseTime)
	return o
}

// describeOnDemand describes the bounds that there are, nil when there are none: a pair without any used to be stored too.
func describeOnDemand(u *throughput) object {
	if u == nil || u.Read == unset && u.Write == unset {
		return nil
	}
	o := object{}
	if u.Read != unset {
		o[onDemandUnits.read] = u.Read
	}
	if u.Write != unset {
		o[onDemandUnits.write] = u.Write
	}
	return o
}

// describeOnDemandChange is the answer to a change: it shows which bounds the request took away too.
func describeOnDemandChange(is *throughput, r request) object {
	o := describeOnDemand(is)
	spec := r.object(onDemandUnits.member)
	for _, name := range []string{onDemandUnits.read, onDemandUnits.write} {
		if !spec.has(name) || spec.integer(name) != unset {
			continue
		}
		if o == nil {
			o = object{}
		}
		o[name] = int64(unset)
	}
	return o
}

func describeWarm(u throughput) object {
	return object{"ReadUnitsPerSecond": u.Read, "WriteUnitsPerSecond": u.Write, "Status": "ACTIVE"}
}
