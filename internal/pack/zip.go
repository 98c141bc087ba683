package pack

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// creatorUnix says in the head of an entry that its mode is that of Unix, by
// which AWS Lambda knows what can be run (PKWARE APPNOTE, section 4.4.2).
const creatorUnix = 3 << 8

// writeZip makes a zip of files. It depends on nothing but their names and
// contents: no times, no owners, no modes of the machine.
func writeZip(files []File) ([]byte, error) {
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, f := range files {
		mode := fs.FileMode(0o644)
		if f.Program {
			mode = 0o755
		}
		h := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, CreatorVersion: creatorUnix, ExternalAttrs: uint32(0o100000|mode) << 16}
		// The least time that the format knows; 0 is no valid date to some readers.
		//lint:ignore SA1019 Modified adds a field of its own to each entry.
		h.ModifiedDate, h.ModifiedTime = 1<<5|1, 0
		w, err := z.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
