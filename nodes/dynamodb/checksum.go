package dynamodb

import (
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// newClient makes the process's client of a side. It checks the replies'
// checksums itself: the SDK compares them only as it closes the body, where the
// error goes to its log and a damaged reply passes for a good one.
func newClient(cfg aws.Config) *sdk.Client {
	return sdk.NewFromConfig(cfg, func(o *sdk.Options) {
		o.DisableValidateResponseChecksum = true
		o.HTTPClient = checksumClient{o.HTTPClient}
	})
}

// checksumClient lets no reply end well that is not what the service sent.
type checksumClient struct{ inner aws.HTTPClient }

// Do runs one attempt.
func (c checksumClient) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.inner.Do(r)
	if err != nil {
		return resp, err
	}
	// The checksum is of the bytes on the wire, which a decompressed body is not.
	want, err := strconv.ParseUint(resp.Header.Get("X-Amz-Crc32"), 10, 32)
	if err == nil && !resp.Uncompressed {
		resp.Body = &checkedBody{resp.Body, crc32.NewIEEE(), uint32(want)}
	}
	return resp, nil
}

type checkedBody struct {
	io.ReadCloser
	sum  hash.Hash32
	want uint32
}

// Read gives, in place of the end of a damaged reply, an error that the SDK's
// retry takes for a connection that broke.
func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n])
	if err == io.EOF && b.sum.Sum32() != b.want {
		return n, fmt.Errorf("the reply's checksum is wrong: %w", io.ErrUnexpectedEOF)
	}
	return n, err
}
