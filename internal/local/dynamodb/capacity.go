package dynamodb

import "github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"

// The sizes of a capacity unit.
const (
	readUnit  = 4096
	writeUnit = 1024
)

// readUnitsOf are the units of reading this many bytes: half a unit for each 4 KB begun, a whole one when consistent.
func readUnitsOf(size int, consistent bool) float64 {
	units := float64(max(1, (size+readUnit-1)/readUnit))
	if consistent {
		return units
	}
	return units / 2
}

// writeUnitsOf are the units of writing this many bytes: one for each 1 KB begun.
func writeUnitsOf(size int) float64 { return float64(max(1, (size+writeUnit-1)/writeUnit)) }

// consumption are the capacity units that an operation took from a table and its indexes.
type consumption struct {
	owner   *table
	name    string // of the table, as the request gave it: the ARN perhaps
	table   float64
	indexes map[string]float64
	// transacted is "ReadCapacityUnits" or "WriteCapacityUnits" for a transaction, whose reply names the units twice.
	transacted string
}

func newConsumption(t *table, name string) *consumption {
	return &consumption{owner: t, name: name, indexes: map[string]float64{}}
}

// addWrite adds what a write took, times the factor that transactions have.
func (c *consumption) addWrite(o outcome, factor float64) {
	c.table += factor * writeUnitsOf(max(o.oldSize, o.newSize))
	for i := range c.owner.Indexes {
		x := &c.owner.Indexes[i]
		if units := c.owner.indexWriteUnits(x, o.old, o.new); units > 0 {
			c.indexes[x.Name] += factor * units
		}
	}
}

// indexWriteUnits are the units of bringing an index up to date: none when what it projects stays the same, one write
// for an entry that comes, goes or changes in its place, two when it moves.
func (t *table) indexWriteUnits(x *index, before, after item.Item) float64 {
	was, is := before != nil && t.contains(x, before), after != nil && t.contains(x, after)
	var old, cur item.Item
	if was {
		old = t.project(x, before)
	}
	if is {
		cur = t.project(x, after)
	}
	switch {
	case !was && !is:
		return 0
	case !was:
		return writeUnitsOf(cur.Size())
	case !is:
		return writeUnitsOf(old.Size())
	case old.Equal(cur):
		return 0
	}
	for _, name := range x.Key.names() {
		if !item.Equal(old[name], cur[name]) {
			return writeUnitsOf(old.Size()) + writeUnitsOf(cur.Size())
		}
	}
	return writeUnitsOf(max(old.Size(), cur.Size()))
}

func (c *consumption) total() float64 {
	total := c.table
	for _, units := range c.indexes {
		total += units
	}
	return total
}

// describe is the ConsumedCapacity of a reply, nil when the mode, the ReturnConsumedCapacity parameter, asks for none.
func (c *consumption) describe(mode string) object {
	if mode != "TOTAL" && mode != "INDEXES" {
		return nil
	}
	o := c.units(c.total())
	o["TableName"] = c.name
	if mode == "TOTAL" {
		return o
	}
	o["Table"] = c.units(c.table)
	local, global := object{}, object{}
	for name, units := range c.indexes {
		if x := c.owner.index(name); x != nil && x.Global {
			global[name] = c.units(units)
		} else {
			local[name] = c.units(units)
		}
	}
	if len(local) > 0 {
		o["LocalSecondaryIndexes"] = local
	}
	if len(global) > 0 {
		o["GlobalSecondaryIndexes"] = global
	}
	return o
}

func (c *consumption) units(n float64) object {
	o := object{"CapacityUnits": n}
	if c.transacted != "" {
		o[c.transacted] = n
	}
	return o
}
