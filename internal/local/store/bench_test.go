package store

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"
)

// BenchmarkUpdate measures durable writes of 300 bytes by many writers.
func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprint(writers, " writers"), func(b *testing.B) {
			db := open(b, b.TempDir())
			value := []byte(strings.Repeat("x", 300))
			var n atomic.Uint64
			b.SetParallelism(writers)
			work := func(pb *testing.PB) {
				for pb.Next() {
					key := fmt.Appendf(nil, "%012d", n.Add(1))
					err := db.Update(func(tx *bbolt.Tx) error {
						bucket, err := tx.CreateBucketIfNotExists(bucket)
						if err != nil {
							return err
						}
						return bucket.Put(key, value)
					})
					if err != nil {
						b.Error(err)
					}
				}
			}
			b.ResetTimer()
			if writers == 1 {
				for range b.N {
					if err := write(db, fmt.Sprint(n.Add(1)), string(value)); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.RunParallel(work)
		})
	}
}
