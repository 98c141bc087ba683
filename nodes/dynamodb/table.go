package dynamodb

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Table is the config of a dynamodb.table resource.
type Table struct {
	TableName string             `yaml:"name" doc:"The table's name in the account and in the stand-in; the name of the resource when left out."`
	Table     expr.Value[string] `yaml:"table" doc:"Name or ARN of a table that is there already and that flowctl neither creates nor deploys. Empty counts as left out, so that an env variable may decide."`
	Key       KeySchema          `yaml:"key,required" doc:"The primary key: the partition key's name and type, then the sort key's if there is one. Types are S (a text), N (a number) and B (bytes)."`
	Indexes   []Index            `yaml:"indexes" doc:"The table's secondary indexes."`
	Item      engine.Schema      `yaml:"item" doc:"The schema that the items follow. It types what the nodes give, so that a misspelt attribute is found before anything runs; it does not check what is stored."`
	Seed      string             `yaml:"seed" doc:"Path of a YAML or JSON file with a list of items, relative to this file. flowctl run writes them to the stand-in when the table is new."`
	TTL       string             `yaml:"ttl" doc:"Name of the attribute that holds the time at which an item expires, as a number of seconds since 1970. DynamoDB deletes the item some time after."`
}

// Index is a secondary index of a table.
type Index struct {
	Name       string    `yaml:"name,required" doc:"The index's name, 3 to 255 letters, digits, '_', '-' and '.'."`
	Key        KeySchema `yaml:"key,required" doc:"The index's key, written like the table's."`
	Local      bool      `yaml:"local" doc:"Makes it a local secondary index: it has the table's partition key and a sort key of its own, allows consistent reads, and can only be made together with the table."`
	Projection string    `yaml:"projection" enum:"all,keys_only,include" doc:"Which attributes the index holds: all (also when left out), keys_only, or include for the keys and those in include."`
	Include    []string  `yaml:"include" doc:"The attributes that the index holds beside the keys, with projection include."`
}

var tableSpec = engine.ResourceSpec[Table]{
	Type: "dynamodb.table",
	Doc: `A DynamoDB table. Without ` + "`table`" + ` it belongs to the app: ` + "`flowctl run`" + ` creates it in the local
stand-in and the packaged app brings it along, billed per request.`,
	Check:     checkTable,
	CheckName: checkTableName,
	Examples: []engine.Example{
		{Doc: "Drivers by area code, with items to begin with.", YAML: `{type: dynamodb.table, key: {area_code: S}, seed: drivers.yaml}`},
		{Doc: "A partition and a sort key, an index over another attribute, and items that expire.", YAML: `type: dynamodb.table
key: {customer: S, placed_at: N}
ttl: expires_at
indexes:
  - {name: by_status, key: {status: S, placed_at: N}, projection: keys_only}`},
		{Doc: "A table of somebody else, named by an env variable.", YAML: `{type: dynamodb.table, key: {id: S}, table: "arn:aws:dynamodb:eu-west-1:123456789012:table/customers"}`},
	},
}

// holds reports whether the index of table t has a copy of an attribute.
func (x *Index) holds(t *Table, attribute string) bool {
	return x.Projection == "" || x.Projection == "all" || t.Key.has(attribute) || x.Key.has(attribute) || slices.Contains(x.Include, attribute)
}

// Name is the name of the table that flowctl creates for the resource.
func (t *Table) Name(resource string) string {
	if t.TableName != "" {
		return t.TableName
	}
	return resource
}

// Outside is the name or ARN of the table that the author named and that
// flowctl does not create; "" when the table is the app's own. It may be called
// once the resource's expressions are compiled.
func (t *Table) Outside() (string, error) {
	if !t.Table.Given() {
		return "", nil
	}
	address, err := t.Table.Get(&expr.Env{})
	if err != nil || address == "" {
		return "", err
	}
	if !isTableName(address) && !isTableARN(address) {
		return "", fmt.Errorf("%q is neither the name nor the ARN of a table", address)
	}
	return address, nil
}

// Index finds a secondary index by name, nil if there is none.
func (t *Table) Index(name string) *Index {
	for i := range t.Indexes {
		if t.Indexes[i].Name == name {
			return &t.Indexes[i]
		}
	}
	return nil
}

func (t *Table) indexNames() []string {
	names := make([]string, len(t.Indexes))
	for i, x := range t.Indexes {
		names[i] = x.Name
	}
	return names
}

// described reports whether a node can be checked against its table; where not,
// the table's own mistakes are reported already.
func described(ref engine.Ref[Table]) bool {
	return ref.Resource != nil && len(ref.Resource.Key.Attributes) > 0
}

// Lengths are compared beside the patterns: a repetition that is bounded so high
// takes long to compile, and every start of a function pays for it.
var (
	tableName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	tableARN  = regexp.MustCompile(`^arn:[a-z0-9-]+:dynamodb:[a-z0-9-]+:[0-9]{12}:table/(.+)$`)
)

func isTableName(text string) bool {
	return len(text) >= 3 && len(text) <= 255 && tableName.MatchString(text)
}

func isTableARN(text string) bool {
	m := tableARN.FindStringSubmatch(text)
	return m != nil && isTableName(m[1])
}

// Limits of secondary indexes (Developer Guide, "Service, account, and table
// quotas"): 20 global by default, 5 local.
const (
	maxGlobalIndexes = 20
	maxLocalIndexes  = 5
)

// checkTableName looks at the name of a table that flowctl creates and that the
// author gave no other name.
func checkTableName(t *Table, resource string) []engine.Finding {
	if t.TableName != "" || t.Table.Given() || isTableName(resource) {
		return nil
	}
	return []engine.Finding{{Message: fmt.Sprintf("%q cannot be the name of a table: DynamoDB takes 3 to 255 characters", resource),
		Hint: "rename the resource, or give the table another name with `name`"}}
}

func checkTable(t *Table) []engine.Finding {
	var found []engine.Finding
	if t.TableName != "" && !isTableName(t.TableName) {
		found = append(found, engine.Finding{Field: "name", Message: "a table's name has 3 to 255 letters, digits, '_', '-' and '.'"})
	}
	if tree := t.Table.Tree(); tree != nil && tree.Kind == expr.KindText && tree.Text != "" && !strings.Contains(tree.Text, "${{") &&
		!isTableName(tree.Text) && !isTableARN(tree.Text) {
		found = append(found, engine.Finding{Field: "table", Message: "this is neither the name nor the ARN of a table",
			Hint: "write for example customers, or arn:aws:dynamodb:REGION:ACCOUNT:table/NAME"})
	}
	if len(t.Key.Attributes) == 0 {
		found = append(found, engine.Finding{Field: "key", Message: "a table has a partition key", Hint: "write for example key: {id: S}"})
	}
	found = append(found, keyTypes(t)...)
	global, local := 0, 0
	for i := range t.Indexes {
		if t.Indexes[i].Local {
			local++
		} else {
			global++
		}
		found = append(found, checkIndex(t, i)...)
	}
	if global > maxGlobalIndexes || local > maxLocalIndexes {
		found = append(found, engine.Finding{Field: "indexes", Message: fmt.Sprintf("a table has at most %d global and %d local indexes; here are %d and %d",
			maxGlobalIndexes, maxLocalIndexes, global, local)})
	}
	if t.TTL != "" && t.Key.has(t.TTL) {
		found = append(found, engine.Finding{Field: "ttl", Message: "a key attribute cannot be the time of expiry"})
	}
	return found
}

// keyTypes finds an attribute that has one type in one key and another type in
// another: an attribute has one type in all keys of a table.
func keyTypes(t *Table) []engine.Finding {
	var found []engine.Finding
	known := map[string]string{}
	visit := func(field string, k KeySchema) {
		for _, a := range k.Attributes {
			if other, ok := known[a.Name]; ok && other != a.Type {
				found = append(found, engine.Finding{Field: field + "." + a.Name, Message: fmt.Sprintf("%s is of type %s here and of type %s above", a.Name, a.Type, other),
					Hint: "an attribute has one type in all keys of a table"})
			}
			known[a.Name] = a.Type
		}
	}
	visit("key", t.Key)
	for i, x := range t.Indexes {
		visit(fmt.Sprintf("indexes[%d].key", i), x.Key)
	}
	return found
}

func checkIndex(t *Table, i int) []engine.Finding {
	x := &t.Indexes[i]
	at := fmt.Sprintf("indexes[%d]", i)
	var found []engine.Finding
	report := func(field, message, hint string) {
		found = append(found, engine.Finding{Field: at + field, Message: message, Hint: hint})
	}
	if !isTableName(x.Name) {
		report(".name", "an index's name has 3 to 255 letters, digits, '_', '-' and '.'", "")
	}
	if slices.Index(t.indexNames(), x.Name) < i {
		report(".name", fmt.Sprintf("two indexes are called %q", x.Name), "")
	}
	if len(x.Key.Attributes) == 0 {
		report(".key", "an index has a partition key", "write for example key: {status: S}")
	}
	if _, sorted := x.Key.Sort(); x.Local && (!sorted || x.Key.Partition() != t.Key.Partition()) {
		report(".key", "a local index has the table's partition key and a sort key of its own",
			fmt.Sprintf("write key: {%s: %s, …}, or leave out local", t.Key.Partition().Name, t.Key.Partition().Type))
	}
	if _, sorted := t.Key.Sort(); x.Local && !sorted {
		report(".local", "only a table with a sort key can have local indexes", "leave out local")
	}
	if x.Projection == "include" && len(x.Include) == 0 {
		report(".include", "projection include needs the names of the attributes", "list them in include, or write projection: keys_only")
	}
	if x.Projection != "include" && len(x.Include) > 0 {
		report(".include", "these attributes have no meaning without projection include", "write projection: include")
	}
	return found
}
