package dynamodb

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf16"
)

// Limits of table definitions.
const (
	maxLocalIndexes  = 5
	maxGlobalIndexes = 20
	maxProvisioned   = 1_000_000_000_000
	maxNonKeyNames   = 100
	maxKeyNames      = 4 // of each kind in the key of a global index
)

// definition checks what CreateTable and UpdateTable say about keys and indexes, in the service's order.
type definition struct {
	attributes []attributeDefinition
	key        keySchema
	indexes    []index
}

func readAttributes(r request) []attributeDefinition {
	var out []attributeDefinition
	for _, a := range r.objects("AttributeDefinitions") {
		out = append(out, attributeDefinition{Name: a.str("AttributeName"), Type: a.str("AttributeType")})
	}
	return out
}

func (d *definition) names() []string {
	names := make([]string, len(d.attributes))
	for i, a := range d.attributes {
		names[i] = a.Name
	}
	return names
}

func schemaNames(elements []request) []string {
	names := make([]string, len(elements))
	for i, e := range elements {
		names[i] = e.str("AttributeName")
	}
	return names
}

func (d *definition) defines(names []string) bool {
	for _, n := range names {
		if !slices.Contains(d.names(), n) {
			return false
		}
	}
	return true
}

// javaOrder puts names into the order that a Java HashMap of the given capacity has, in which the service lists the
// names of attributes.
func javaOrder(names []string, capacity int) []string {
	for len(names)*4 > capacity*3 {
		capacity *= 2
	}
	place := func(name string) uint32 {
		var h uint32
		for _, unit := range utf16.Encode([]rune(name)) {
			h = 31*h + uint32(unit)
		}
		return (h ^ h>>16) & uint32(capacity-1)
	}
	ordered := slices.Clone(names)
	slices.SortStableFunc(ordered, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return ordered
}

// listed are the names of the definitions as errors list them, from a map made for as many.
func (d *definition) listed() string {
	capacity := 1
	for capacity < len(d.attributes) {
		capacity *= 2
	}
	return list(javaOrder(d.names(), capacity))
}

// defaultCapacity is the one of Java's sets.
const defaultCapacity = 16

func list(names []string) string { return "[" + strings.Join(names, ", ") + "]" }

// read reads what CreateTable says of the keys and the indexes. All keys come before whatever else an index has.
func (d *definition) read(r request) error {
	for _, check := range []func(request) error{d.readAttributes, d.readTableKey, d.readLocalIndexes, d.readGlobalIndexes} {
		if err := check(r); err != nil {
			return err
		}
	}
	if err := d.checkUse(); err != nil {
		return err
	}
	return d.readProjections(r)
}

func (d *definition) readAttributes(r request) error {
	d.attributes = readAttributes(r)
	seen := map[string]bool{}
	for _, a := range d.attributes {
		if seen[a.Name] {
			return invalid("Attribute Name is duplicated: %s", a.Name)
		}
		seen[a.Name] = true
	}
	return nil
}

// readTableKey reads the table's own KeySchema.
func (d *definition) readTableKey(r request) error {
	elements := r.objects("KeySchema")
	names := schemaNames(elements)
	switch {
	case len(names) > len(d.attributes):
		return invalid("Invalid KeySchema: Some index key attribute have no definition")
	case !d.defines(names):
		return d.undefined(names)
	}
	key, err := readKeySchema(elements)
	if err != nil {
		return err
	}
	d.key = key
	return nil
}

func (d *definition) undefined(names []string) error {
	return invalidParameter("Some index key attributes are not defined in AttributeDefinitions. Keys: %s, AttributeDefinitions: %s",
		list(javaOrder(names, defaultCapacity)), d.listed())
}

func readKeySchema(elements []request) (keySchema, error) {
	if len(elements) == 2 && elements[0].str("AttributeName") == elements[1].str("AttributeName") {
		return keySchema{}, invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	}
	if elements[0].str("KeyType") != "HASH" {
		return keySchema{}, invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	}
	key := keySchema{Hash: keyNames{elements[0].str("AttributeName")}}
	if len(elements) == 1 {
		return key, nil
	}
	key.Range = keyNames{elements[1].str("AttributeName")}
	if elements[1].str("KeyType") != "RANGE" {
		return keySchema{}, invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return key, nil
}

// readGlobalKeySchema reads the key of a global index, which may have several attributes of both kinds.
func readGlobalKeySchema(elements []request) (keySchema, error) {
	var key keySchema
	if elements[0].str("KeyType") != "HASH" {
		return key, invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	}
	for _, e := range elements {
		name := e.str("AttributeName")
		switch {
		case key.has(name):
			return key, invalid("The KeySchema contains multiple key attributes with the same name")
		case e.str("KeyType") == "RANGE":
			key.Range = append(key.Range, name)
		case len(key.Range) > 0:
			return key, invalidParameter("All HASH key attributes must precede RANGE key attributes in the KeySchema")
		default:
			key.Hash = append(key.Hash, name)
		}
	}
	const tooMany = "The KeySchema exceeds the maximum allowed number of %s key attributes"
	if len(key.Hash) > maxKeyNames {
		return key, invalidParameter(tooMany, "HASH")
	}
	if len(key.Range) > maxKeyNames {
		return key, invalidParameter(tooMany, "RANGE")
	}
	return key, nil
}

func (d *definition) readLocalIndexes(r request) error {
	if !r.has("LocalSecondaryIndexes") {
		return nil
	}
	specs := r.objects("LocalSecondaryIndexes")
	if len(specs) == 0 {
		return invalidParameter("List of LocalSecondaryIndexes is empty")
	}
	if len(d.key.Range) == 0 {
		return invalidParameter("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
	}
	for _, spec := range specs {
		if err := d.readLocalIndex(spec); err != nil {
			return err
		}
	}
	return nil
}

func (d *definition) readLocalIndex(spec request) error {
	x, err := d.readIndexKey(spec, readKeySchema)
	if err != nil {
		return err
	}
	switch {
	case len(x.Key.Range) == 0:
		return invalidParameter("Index KeySchema does not have a range key for index: %s", x.Name)
	case x.Key.Hash[0] != d.key.Hash[0]:
		return invalidParameter("Index KeySchema does not have the same leading hash key as table KeySchema for index: %s. index hash key: %s, table hash key: %s",
			x.Name, x.Key.Hash[0], d.key.Hash[0])
	}
	d.indexes = append(d.indexes, x)
	return nil
}

func (d *definition) readGlobalIndexes(r request) error {
	if !r.has("GlobalSecondaryIndexes") {
		return nil
	}
	specs := r.objects("GlobalSecondaryIndexes")
	if len(specs) == 0 {
		return invalidParameter("List of GlobalSecondaryIndexes is empty")
	}
	for _, spec := range specs {
		if err := d.readGlobalIndex(spec); err != nil {
			return err
		}
	}
	return nil
}

func (d *definition) readGlobalIndex(spec request) error {
	x, err := d.readIndexKey(spec, readGlobalKeySchema)
	if err != nil {
		return err
	}
	x.Global = true
	x.Throughput = readThroughput(spec)
	x.OnDemand = readUnits(spec, onDemandUnits)
	x.Warm = readUnits(spec, warmUnits)
	d.indexes = append(d.indexes, x)
	return nil
}

func (d *definition) readIndexKey(spec request, read func([]request) (keySchema, error)) (index, error) {
	x := index{Name: spec.str("IndexName")}
	elements := spec.objects("KeySchema")
	if names := schemaNames(elements); !d.defines(names) {
		return x, d.undefined(names)
	}
	var err error
	x.Key, err = read(elements)
	return x, err
}

// readProjections reads the projections of the indexes, the local ones of which come first.
func (d *definition) readProjections(r request) error {
	local, global := r.objects("LocalSecondaryIndexes"), r.objects("GlobalSecondaryIndexes")
	for i, spec := range slices.Concat(local, global) {
		if err := d.readProjection(i, spec); err != nil {
			return err
		}
		if i+1 == len(local) && len(local) > maxLocalIndexes {
			return invalidParameter("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocalIndexes)
		}
	}
	if len(global) > maxGlobalIndexes {
		return invalidParameter("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	return d.checkNonKeyCount()
}

// readProjection reads the projection of the i-th index, and checks that the indexes before it have other names.
func (d *definition) readProjection(i int, spec request) error {
	x, p := &d.indexes[i], spec.object("Projection")
	x.Projection = p.str("ProjectionType")
	x.NonKey = p.strings("NonKeyAttributes")
	switch {
	case x.Projection == "":
		return invalidParameter("Unknown ProjectionType: null")
	case p.has("NonKeyAttributes") && x.Projection != projectInclude:
		return invalidParameter("ProjectionType is %s, but NonKeyAttributes is specified", x.Projection)
	case !p.has("NonKeyAttributes") && x.Projection == projectInclude:
		return invalidParameter("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	}
	for j, name := range x.NonKey {
		if slices.Contains(x.NonKey[:j], name) {
			return invalidParameter("Duplicate element in NonKeyAttributes: %s", name)
		}
	}
	for _, other := range d.indexes[:i] {
		if other.Name == x.Name {
			return invalidParameter("Duplicate index name: %s", x.Name)
		}
	}
	return nil
}

// checkUse checks that every defined attribute is a key of the table or of an index.
func (d *definition) checkUse() error {
	used := d.key.names()
	for _, x := range d.indexes {
		for _, n := range x.Key.names() {
			if !slices.Contains(used, n) {
				used = append(used, n)
			}
		}
	}
	if len(used) == len(d.attributes) {
		return nil
	}
	if len(d.indexes) == 0 {
		return invalidParameter("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	return invalidParameter("Some AttributeDefinitions are not used. AttributeDefinitions: %s, keys used: %s", d.listed(), list(javaOrder(used, defaultCapacity)))
}

func (d *definition) checkNonKeyCount() error {
	count := 0
	for _, x := range d.indexes {
		count += len(x.NonKey)
	}
	if count > maxNonKeyNames {
		return invalidParameter("Number of NonKeyAttributes exceeds per-table limit of %d", maxNonKeyNames)
	}
	return nil
}
