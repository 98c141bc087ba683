package dynamodb

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"

	"go.etcd.io/bbolt"
)

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return formatID(b)
}

func formatID(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (s *Service) createTable(r request) (object, error) {
	if err := createTableShape.checkTableRequest(r); err != nil {
		return nil, err
	}
	t, err := s.newTable(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.tables[t.Name]; exists {
		return nil, failure("ResourceInUseException", "Table already exists: %s", t.Name)
	}
	if err := s.store.Update(t.create); err != nil {
		return nil, err
	}
	s.tables[t.Name] = t
	description := s.describe(t, contents{})
	description["TableStatus"] = "CREATING"
	if t.BillingMode == "PROVISIONED" {
		delete(description, "WarmThroughput")
	} else {
		description["BillingModeSummary"] = object{"BillingMode": t.BillingMode}
	}
	indexes, _ := description["GlobalSecondaryIndexes"].([]object)
	for _, x := range indexes {
		x["IndexStatus"] = "CREATING"
		delete(x, "WarmThroughput")
	}
	return object{"TableDescription": description}, nil
}

// newTable checks a CreateTable request and makes the definition.
func (s *Service) newTable(r request) (*table, error) {
	if err := refuseUnsupported(r); err != nil {
		return nil, err
	}
	mode := r.str("BillingMode")
	if mode == "" {
		mode = "PROVISIONED"
	}
	if err := checkThroughput(r, mode, ""); err != nil {
		return nil, err
	}
	if err := checkClass(r); err != nil {
		return nil, err
	}
	var d definition
	if err := d.read(r); err != nil {
		return nil, err
	}
	if err := checkCapacitySettings(r, mode); err != nil {
		return nil, err
	}
	encryption := r.object("SSESpecification")
	if err := checkEncryption(encryption); err != nil {
		return nil, err
	}
	now := s.clock.Now().UTC()
	stream, err := readStream(r.object("StreamSpecification"), now)
	if err != nil {
		return nil, err
	}
	tags, err := readTags(r.objects("Tags"))
	if err != nil {
		return nil, err
	}
	t := &table{
		Name: r.table(), ID: newID(), Created: now, Key: d.key, Attributes: d.attributes, Indexes: d.indexes,
		BillingMode: mode, Throughput: readThroughput(r), Class: r.str("TableClass"), Protected: r.boolean("DeletionProtectionEnabled"),
		OnDemand: readUnits(r, onDemandUnits), Warm: readUnits(r, warmUnits), Stream: stream,
		Encrypted: encrypts(encryption), KeyID: encryption.str("KMSMasterKeyId"), Tags: tags,
	}
	if mode == "PAY_PER_REQUEST" {
		t.BillingSet = t.Created
	}
	t.bucket = t.bucketName()
	return t, nil
}

// checkClass checks a table's class, for which the service has words of its own.
func checkClass(r request) error {
	classes := []string{"STANDARD", "STANDARD_INFREQUENT_ACCESS"}
	if r.has("TableClass") && !slices.Contains(classes, r.str("TableClass")) {
		return invalid("Invalid table-class parameter provided. Please try again with a valid table-class value: %s.", list(classes))
	}
	return nil
}

// create writes the definition and the empty buckets.
func (t *table) create(tx *bbolt.Tx) error {
	root, err := tx.CreateBucketIfNotExists(t.bucket)
	if err != nil {
		return err
	}
	if _, err := root.CreateBucketIfNotExists(itemsBucket); err != nil {
		return err
	}
	for i := range t.Indexes {
		if _, err := root.CreateBucketIfNotExists(t.Indexes[i].bucketName()); err != nil {
			return err
		}
	}
	return t.save(tx)
}

func (s *Service) describeTable(r request) (object, error) {
	if err := describeTableShape.checkTableRequest(r); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, ok := s.tables[r.table()]
	if !ok {
		return nil, namedTableNotFound(r.table())
	}
	c, err := s.contents(t)
	if err != nil {
		return nil, err
	}
	return object{"Table": s.describe(t, c)}, nil
}

func (s *Service) deleteTable(r request) (object, error) {
	if err := describeTableShape.checkTableRequest(r); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tables[r.table()]
	if !ok {
		return nil, namedTableNotFound(r.table())
	}
	if t.Protected {
		return nil, invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	c, err := s.contents(t)
	if err != nil {
		return nil, err
	}
	if err := s.store.Update(t.drop); err != nil {
		return nil, err
	}
	delete(s.tables, t.Name)
	d := s.describe(t, c)
	d["TableStatus"] = "DELETING"
	for _, member := range []string{"AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "CreationDateTime"} {
		delete(d, member)
	}
	return object{"TableDescription": d}, nil
}

func (t *table) drop(tx *bbolt.Tx) error {
	if tx.Bucket(t.bucket) != nil {
		if err := tx.DeleteBucket(t.bucket); err != nil {
			return err
		}
	}
	return tx.Bucket(tablesBucket).Delete([]byte(t.Name))
}

const defaultTablePage = 100

func (s *Service) listTables(r request) (object, error) {
	if err := listTablesShape.constrained(r); err != nil {
		return nil, err
	}
	s.mu.RLock()
	names := slices.Sorted(maps.Keys(s.tables))
	s.mu.RUnlock()
	if start := r.str("ExclusiveStartTableName"); start != "" {
		i, found := slices.BinarySearch(names, start)
		if found {
			i++
		}
		names = names[i:]
	}
	limit := defaultTablePage
	if r.has("Limit") {
		limit = int(r.integer("Limit"))
	}
	reply := object{}
	if len(names) > limit {
		names = names[:limit]
		reply["LastEvaluatedTableName"] = names[limit-1]
	}
	reply["TableNames"] = append([]string{}, names...)
	return reply, nil
}
