package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// bbolt guards its two meta pages by checksums but not the data, so each record carries one of its own.
const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Seal gives value with a checksum over key and value behind it, in a new slice, ready for Bucket.Put under that key.
func Seal(key, value []byte) []byte {
	sealed := make([]byte, 0, len(value)+checksumSize)
	sealed = append(sealed, value...)
	return binary.BigEndian.AppendUint32(sealed, checksum(key, value))
}

// Unseal gives the value that Seal was called with, as a part of sealed, or an error that wraps ErrDamaged.
func Unseal(key, sealed []byte) ([]byte, error) {
	if len(sealed) < checksumSize {
		return nil, fmt.Errorf("%w: record %x is cut off", ErrDamaged, key)
	}
	value, sum := sealed[:len(sealed)-checksumSize], sealed[len(sealed)-checksumSize:]
	if binary.BigEndian.Uint32(sum) != checksum(key, value) {
		return nil, fmt.Errorf("%w: record %x does not match its checksum", ErrDamaged, key)
	}
	return value, nil
}

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}
