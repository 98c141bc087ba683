// Package dynamodb is a stand-in for Amazon DynamoDB: the JSON protocol, expressions, indexes, transactions and TTL
// over the stand-ins' store. It is written against the service's published API reference and error texts.
//
// Where it differs from the service on purpose: every read is consistent, those of global indexes too; changes of tables
// and indexes are done when they are answered, though the answer names the state on the way, CREATING or UPDATING, for
// clients that wait for the next one; nothing is ever throttled, whatever the capacity; items end within seconds of
// their TTL; item counts and sizes are exact; a stream is described, but has nothing to read. PartiQL, the operations on
// streams, backups and global tables are refused by name.
package dynamodb

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/clock"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// Options are what the service runs on. Store is required.
type Options struct {
	Store *store.DB
	// Clock is the system's when nil.
	Clock clock.Clock
	// Log is slog.Default when nil.
	Log *slog.Logger
	// Region and Account are what ARNs are made of; us-east-1 and 000000000000 when empty.
	Region, Account string
	// Address is the host and port that DescribeEndpoints gives; 127.0.0.1 when empty.
	Address string
}

// Service answers DynamoDB's operations. Its methods may be called by any goroutine.
type Service struct {
	store           *store.DB
	clock           clock.Clock
	log             *slog.Logger
	region, account string
	address         string

	// mu is held for reading by operations on data, for writing by those that change definitions. So a definition does
	// not change under an operation, and the store's transactions need not read it.
	mu     sync.RWMutex
	tables map[string]*table

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// New loads the tables and starts the expiry of items. Close must be called before the store is closed.
func New(o Options) (*Service, error) {
	s := &Service{store: o.Store, clock: o.Clock, log: o.Log, region: o.Region, account: o.Account,
		address: cmp.Or(o.Address, "127.0.0.1"), tables: map[string]*table{}}
	if s.clock == nil {
		s.clock = clock.System()
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.region == "" {
		s.region = "us-east-1"
	}
	if s.account == "" {
		s.account = "000000000000"
	}
	if err := s.store.View(s.load); err != nil {
		return nil, fmt.Errorf("load the DynamoDB tables: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.stopped.Go(func() { s.expireItems(ctx) })
	return s, nil
}

func (s *Service) load(tx *bbolt.Tx) error {
	b := tx.Bucket(tablesBucket)
	if b == nil {
		return nil
	}
	return b.ForEach(func(name, data []byte) error {
		t, err := loadTable(data)
		if err != nil {
			return fmt.Errorf("definition of table %s: %w", name, err)
		}
		s.tables[t.Name] = t
		return nil
	})
}

// Close ends the service's goroutines. Operations under way are not waited for.
func (s *Service) Close() error {
	s.stop()
	s.stopped.Wait()
	return nil
}

// Target is the service's name and version in X-Amz-Target.
func (s *Service) Target() string { return "DynamoDB_20120810" }

// Relatives is DynamoDB Streams, which is not here.
func (s *Service) Relatives() []string { return []string{"DynamoDBStreams_20120810"} }

// Host is the name of the service's endpoint in the region.
func (s *Service) Host() string { return "dynamodb." + s.region + ".amazonaws.com" }

// Has tells whether there is such an operation.
func (s *Service) Has(op string) bool { return operations[op].run != nil }

// operation answers one request whose types have been checked against the shape. A nil reply is an empty body.
type operation struct {
	shape *shape
	run   func(*Service, request) (object, error)
}

var operations = map[string]operation{
	"CreateTable":        {createTableShape, (*Service).createTable},
	"DescribeTable":      {describeTableShape, (*Service).describeTable},
	"ListTables":         {listTablesShape, (*Service).listTables},
	"DeleteTable":        {describeTableShape, (*Service).deleteTable},
	"GetItem":            {getItemShape, (*Service).getItem},
	"PutItem":            {putItemShape, (*Service).putItem},
	"UpdateItem":         {updateItemShape, (*Service).updateItem},
	"DeleteItem":         {deleteItemShape, (*Service).deleteItem},
	"Query":              {queryShape, (*Service).query},
	"Scan":               {scanShape, (*Service).scan},
	"BatchGetItem":       {batchGetShape, (*Service).batchGetItem},
	"BatchWriteItem":     {batchWriteShape, (*Service).batchWriteItem},
	"TransactGetItems":   {transactGetShape, (*Service).transactGetItems},
	"TransactWriteItems": {transactWriteShape, (*Service).transactWriteItems},
	"UpdateTable":        {updateTableShape, (*Service).updateTable},
	"UpdateTimeToLive":   {updateTTLShape, (*Service).updateTimeToLive},
	"DescribeTimeToLive": {describeTTLShape, (*Service).describeTimeToLive},
	"TagResource":        {tagShape, (*Service).tagResource},
	"UntagResource":      {untagShape, (*Service).untagResource},
	"ListTagsOfResource": {listTagsShape, (*Service).listTagsOfResource},
	"DescribeEndpoints":  {structOf("DescribeEndpointsRequest"), (*Service).describeEndpoints},
	"DescribeLimits":     {structOf("DescribeLimitsInput"), (*Service).describeLimits},
}

// Call answers an operation with its JSON reply.
func (s *Service) Call(_ context.Context, op string, body []byte) ([]byte, error) {
	o, ok := operations[op]
	if !ok {
		return nil, unknownOperation(op)
	}
	r, err := o.shape.check(body)
	if err != nil {
		return nil, err
	}
	reply, err := o.run(s, r)
	if err != nil {
		return nil, err
	}
	if reply == nil {
		return []byte{}, nil
	}
	return appendReply(make([]byte, 0, 512), reply), nil
}

// table finds a table for an operation on data; the caller holds mu.
func (s *Service) table(name string) (*table, error) {
	t, ok := s.tables[tableName(name)]
	if !ok {
		return nil, tableNotFound()
	}
	return t, nil
}

func (s *Service) arn(t *table) string {
	return fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s", s.region, s.account, t.Name)
}
