package conformance

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// rawConn is one client of a measurement: a kept-alive connection that requests built beforehand are written to. The
// clients share the processors with the server that is measured, so that their own cost would hide its speed.
type rawConn struct {
	addr string // host:port
	conn net.Conn
	r    *bufio.Reader
	body []byte
	out  []byte
}

func newRawConn(url string) *rawConn { return &rawConn{addr: strings.TrimPrefix(url, "http://")} }

func (c *rawConn) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// rawHead is what stands before the length of a request's body.
func rawHead(service, op string) string {
	return "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + jsonType + "\r\nX-Amz-Target: " + services[service] + "." + op +
		"\r\nX-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/" + service +
		"/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: "
}

// rawRequest is a whole request as it goes over the wire.
func rawRequest(service, op, body string) []byte {
	return []byte(rawHead(service, op) + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// do makes a request and gives the reply's body, which is valid until the next one. A status other than 200 is an error.
func (c *rawConn) do(request []byte) ([]byte, error) {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			return nil, err
		}
		c.conn, c.r = conn, bufio.NewReader(conn)
	}
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	status, err := c.line()
	if err != nil {
		return nil, err
	}
	ok := bytes.Contains(status, []byte(" 200 "))
	length, closing, err := c.header()
	if err != nil {
		return nil, err
	}
	if c.body = c.body[:0]; length >= 0 {
		err = c.read(length)
	} else {
		err = c.readChunks()
	}
	if closing {
		c.close()
	}
	if err == nil && !ok {
		err = fmt.Errorf("the server refused: %s", c.body)
	}
	return c.body, err
}

func (c *rawConn) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// header gives the length of the body, -1 when it comes in chunks, and whether the server closes the connection.
func (c *rawConn) header() (length int, closing bool, err error) {
	length = -1
	for {
		line, err := c.line()
		if err != nil || len(line) == 0 {
			return length, closing, err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, err
			}
		case len(name) == len("Connection") && bytes.EqualFold(name, []byte("Connection")):
			closing = bytes.EqualFold(value, []byte("close"))
		}
	}
}

func (c *rawConn) read(n int) error {
	start := len(c.body)
	c.body = append(c.body, make([]byte, n)...)
	_, err := io.ReadFull(c.r, c.body[start:])
	return err
}

func (c *rawConn) readChunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return err
		}
		if err := c.read(int(n)); err != nil {
			return err
		}
		if rest, err := c.line(); err != nil || len(rest) > 0 {
			return errors.Join(err, errors.New("a chunk does not end where it should"))
		}
		if n == 0 {
			return nil
		}
	}
}
