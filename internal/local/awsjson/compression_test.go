package awsjson

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func zipped(t *testing.T, parts ...string) string {
	t.Helper()
	var out bytes.Buffer
	for _, part := range parts {
		w := gzip.NewWriter(&out)
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestBodiesAreDecompressed(t *testing.T) {
	url, _ := serve(t)
	plain := `{"a":"` + strings.Repeat("text ", 5000) + `"}`
	whole := zipped(t, plain)
	tests := []struct {
		name, encoding, body string
		status               int
		reply                string
	}{
		{"gzip", "gzip", whole, 200, plain},
		{"gzip, spelt otherwise", " GZip", whole, 200, plain},
		{"two members", "gzip", zipped(t, plain[:9], plain[9:]), 200, plain},
		{"something behind it", "gzip", whole + "rest", 200, plain},
		{"a part of it", "gzip", whole[:len(whole)-1], 500, ""},
		{"not compressed", "gzip", plain, 500, ""},
		{"empty", "gzip", "", 500, ""},
		{"an encoding that is not known", "br", plain, 500, ""},
		{"no encoding", "identity", plain, 200, plain},
		{"more than fits without it", "gzip", zipped(t, strings.Repeat(" ", maxDynamoDBBody+1)), 413, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := request(t, url, test.body)
			r.Header.Set("Content-Encoding", test.encoding)
			resp, body := do(t, r)
			if resp.StatusCode != test.status || test.reply != "" && body != test.reply {
				t.Errorf("%d %.200s, want %d", resp.StatusCode, body, test.status)
			}
		})
	}
}

// request is one of DynamoDB that is answered with its own body, and whose reply the client leaves as it is.
func request(t *testing.T, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.Echo")
	r.Header.Set("Content-Type", json10)
	r.Header.Set("Accept-Encoding", "identity")
	return r
}

func TestLargeRepliesAreCompressedAsTheClientPrefers(t *testing.T) {
	url, _ := serve(t)
	large := `{"a":"` + strings.Repeat("x", compressedFrom-8) + `"}`
	for accept, want := range map[string]string{
		"gzip": "gzip", "deflate": "deflate", "identity": "", "br": "", "x-gzip": "", "GZIP, identity": "gzip",
		"gzip, deflate": "gzip", "br, identity, deflate, gzip": "deflate", "dog, gzip ,, cat": "gzip",
		"gzip;q=0.8, deflate;q=0.5": "gzip", "deflate;q=0.5, gzip;q=0.2": "deflate", "gzip;q=0.001": "gzip",
		"br, gzip;q=0, deflate; q = 0.5 , identity;q=0": "deflate", "gzip ;q=0": "", "gzip;q=0.5,identity;q=0.8": "gzip",
		"*": "gzip", "*;q=0": "", "*, deflate;q=0.5": "gzip", "*, deflate": "deflate", "*, gzip;q=0.5": "deflate", "*;q=0.5,identity": "gzip",
		`"gzip"`: "", "gzip br": "", "gzip:q=1": "", "gzip;q=31,deflate;q=51": "gzip", "deflate;q=0.5, gzip;q=1;q=0.2": "gzip",
		"deflate;q=0.5,gzip;q=0.": "deflate", "deflate;q=0.5,gzip;q=0.x": "gzip", "deflate;q=-0.5,gzip;q=0.2": "gzip",
		"gzip;nq=1;q=0 ": "", "gzip;q=0, gzip;q=1, gzip;q=0": "gzip",
	} {
		r := request(t, url, large)
		r.Header.Set("Accept-Encoding", accept)
		resp, body := do(t, r)
		if got := resp.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%q gets %q, want %q", accept, got, want)
			continue
		}
		if sum := strconv.Itoa(int(crc32.ChecksumIEEE([]byte(body)))); resp.Header.Get("X-Amz-Crc32") != sum || resp.ContentLength != int64(len(body)) {
			t.Errorf("%q: checksum and length are not those of what is sent", accept)
		}
		if plain := decompress(t, want, body); plain != large {
			t.Errorf("%q gets %.100s", accept, plain)
		}
	}
	r := request(t, url, large[:compressedFrom-3]+`"}`)
	r.Header.Set("Accept-Encoding", "gzip")
	if resp, _ := do(t, r); resp.Header.Get("Content-Encoding") != "" {
		t.Error("a reply of less than 4 KB is compressed")
	}
}

func decompress(t *testing.T, encoding, body string) string {
	t.Helper()
	var plain io.Reader = strings.NewReader(body)
	var err error
	switch encoding {
	case "gzip":
		plain, err = gzip.NewReader(plain)
	case "deflate":
		plain, err = zlib.NewReader(plain)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
