package dynamodb

import (
	"bytes"

	"go.etcd.io/bbolt"
)

var (
	updateTTLShape = structOf("UpdateTimeToLiveInput",
		optional("TableName", tableNameShape),
		optional("TimeToLiveSpecification", structOf("TimeToLiveSpecification",
			mandatory("AttributeName", text.atLeast(1).atMost(255)),
			mandatory("Enabled", boolean),
		)),
	)
	describeTTLShape = structOf("DescribeTimeToLiveInput", optional("TableName", tableNameShape))
)

func (s *Service) updateTimeToLive(r request) (object, error) {
	if err := updateTTLShape.checkTableRequest(r); err != nil {
		return nil, err
	}
	spec := r.object("TimeToLiveSpecification")
	if spec == nil {
		return nil, invalid("1 validation error detected: Value null at 'timeToLiveSpecification' failed to satisfy constraint: Member must not be null")
	}
	enabled, name := spec.boolean("Enabled"), spec.str("AttributeName")
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tables[r.table()]
	switch {
	case !ok:
		return nil, namedTableNotFound(r.table())
	case enabled && t.TTL.Enabled && name == t.TTL.Attribute:
		return nil, invalid("TimeToLive is already enabled")
	case !enabled && !t.TTL.Enabled:
		return nil, invalid("TimeToLive is already disabled")
	case t.TTL.Enabled && name != t.TTL.Attribute:
		return nil, invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", t.TTL.Attribute)
	}
	changed := *t
	changed.TTL = timeToLive{Enabled: enabled, Attribute: name}
	if err := s.store.Update(changed.rebuildExpiry); err != nil {
		return nil, err
	}
	s.tables[t.Name] = &changed
	return object{"TimeToLiveSpecification": object{"Enabled": enabled, "AttributeName": name}}, nil
}

// rebuildExpiry makes the bucket of expiries anew for the table's setting and saves the definition.
func (t *table) rebuildExpiry(tx *bbolt.Tx) error {
	root, err := t.root(tx)
	if err != nil {
		return err
	}
	if root.Bucket(expiryBucket) != nil {
		if err := root.DeleteBucket(expiryBucket); err != nil {
			return err
		}
	}
	if t.TTL.Enabled {
		b, err := root.CreateBucket(expiryBucket)
		if err != nil {
			return err
		}
		items, err := nested(root, itemsBucket)
		if err != nil {
			return err
		}
		if err := items.ForEach(func(key, record []byte) error {
			i, _, err := decodeRecord(record)
			if err != nil {
				return err
			}
			if entry := t.expiryKey(i, key); entry != nil {
				return b.Put(entry, bytes.Clone(key))
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return t.save(tx)
}

func (s *Service) describeTimeToLive(r request) (object, error) {
	if err := describeTTLShape.checkTableRequest(r); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, ok := s.tables[r.table()]
	if !ok {
		return nil, namedTableNotFound(r.table())
	}
	d := object{"TimeToLiveStatus": "DISABLED"}
	if t.TTL.Enabled {
		d = object{"TimeToLiveStatus": "ENABLED", "AttributeName": t.TTL.Attribute}
	}
	return object{"TimeToLiveDescription": d}, nil
}
