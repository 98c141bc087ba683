package dynamodb

import (
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

// leftOut names the families of operations that the stand-in does not have, so that the error says more than that the
// operation is unknown.
var leftOut = []struct{ family, operations string }{
	{"PartiQL", "ExecuteStatement BatchExecuteStatement ExecuteTransaction"},
	{"backup and restore", "CreateBackup DeleteBackup DescribeBackup ListBackups RestoreTableFromBackup RestoreTableToPointInTime " +
		"DescribeContinuousBackups UpdateContinuousBackups"},
	{"global tables", "CreateGlobalTable DescribeGlobalTable DescribeGlobalTableSettings ListGlobalTables UpdateGlobalTable " +
		"UpdateGlobalTableSettings DescribeTableReplicaAutoScaling UpdateTableReplicaAutoScaling"},
	{"export and import", "ExportTableToPointInTime DescribeExport ListExports ImportTable DescribeImport ListImports"},
	{"streams", "DescribeStream GetRecords GetShardIterator ListStreams DescribeKinesisStreamingDestination " +
		"DisableKinesisStreamingDestination EnableKinesisStreamingDestination UpdateKinesisStreamingDestination"},
	{"contributor insights", "DescribeContributorInsights ListContributorInsights UpdateContributorInsights"},
	{"resource policies", "GetResourcePolicy PutResourcePolicy DeleteResourcePolicy"},
	{"vector search", "SearchVectors"},
}

func unknownOperation(op string) error {
	for _, f := range leftOut {
		for name := range strings.FieldsSeq(f.operations) {
			if name == op {
				return &awsjson.Error{Type: typeUnknown, Message: "the local DynamoDB has no " + f.family + ": " + op +
					" is not supported; use the operations on tables and items, or a real account for this one"}
			}
		}
	}
	return &awsjson.Error{Type: typeUnknown}
}

// unsupportedMembers are parts of table definitions that would have no effect here; a request with one is refused
// rather than silently cut down.
var unsupportedMembers = []struct{ member, what string }{
	{"ResourcePolicy", "resource policies"},
	{"VectorIndexes", "vector search"},
	{"VectorIndexUpdates", "vector search"},
	{"GlobalTableSourceArn", "global tables"},
	{"ReplicaUpdates", "global tables"},
	{"MultiRegionConsistency", "global tables"},
	{"GlobalTableWitnessUpdates", "global tables"},
	{"GlobalTableSettingsReplicationMode", "global tables"},
}

func refuseUnsupported(r request) error {
	for _, u := range unsupportedMembers {
		if r.has(u.member) {
			return invalid("The local DynamoDB has no %s: %s is not supported, leave it out of the request", u.what, u.member)
		}
	}
	return nil
}
