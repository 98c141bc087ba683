package mqtt

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// A script is a conversation of clients with a broker, one step a line, each begun by the name of the client:
//
//	a + id        connects with a clean session
//	a +p id       connects with a session that stays, and with what stands for "session present": 0 or 1
//	a > packets   sends
//	a < packets   receives these next, and nothing before them
//	a ? packets   receives these next in any order
//	a ~ packets   receives these messages next, as duplicates or not
//	a .           is still served and has received nothing more: PINGREQ is answered at once
//	a |           finds its connection closed, without anything more
//	a x           breaks its connection off
//	a -           says goodbye and waits for the end of its connection
//
// Packets are hexadecimal bytes and 'text'; s'text' has its length before it; 30( ... ) has the remaining length of a
// packet filled in; * N repeats the string or the byte before it. A client connects to the broker when it is named first.
type script struct {
	t       testing.TB
	dial    func() (net.Conn, error)
	clients map[string]*scriptClient
}

type scriptClient struct {
	net.Conn
	r *bufio.Reader
}

func runScript(t testing.TB, dial func() (net.Conn, error), text string) {
	t.Helper()
	s := &script{t: t, dial: dial, clients: map[string]*scriptClient{}}
	defer func() {
		for _, c := range s.clients {
			_ = c.Close()
		}
	}()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		if err := s.step(line); err != nil {
			t.Errorf("%s\n\t%v", line, err)
			return
		}
	}
}

func (s *script) step(line string) error {
	name, rest, _ := strings.Cut(line, " ")
	verb, rest, _ := strings.Cut(rest, " ")
	c, err := s.client(name)
	if err != nil {
		return err
	}
	switch verb {
	case "+", "+p0", "+p1":
		connect, connack := "10(s'MQTT' 04 02 0000 s'"+rest+"')", "20(00 00)"
		if verb != "+" {
			connect, connack = "10(s'MQTT' 04 00 0000 s'"+rest+"')", "20(0"+verb[2:]+" 00)"
		}
		if _, err := c.Write(packets311(connect)); err != nil {
			return err
		}
		return c.expect(packets311(connack))
	case ">":
		_, err := c.Write(packets311(rest))
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil // the broker may close before it has read all; what it answers tells
	case "<":
		return c.expect(packets311(rest))
	case "~":
		return c.expectMessages(packets311(rest))
	case "?":
		return c.expectAnyOrder(packets311(rest))
	case ".":
		if _, err := c.Write(packets311("c000")); err != nil {
			return err
		}
		return c.expect(packets311("d000"))
	case "|":
		return c.expectEnd()
	case "x":
		delete(s.clients, name)
		return c.Close()
	case "-":
		delete(s.clients, name)
		if _, err := c.Write(packets311("e000")); err != nil {
			return err
		}
		return c.expectEnd()
	}
	return fmt.Errorf("no such step: %q", verb)
}

func (s *script) client(name string) (*scriptClient, error) {
	if c := s.clients[name]; c != nil {
		return c, nil
	}
	conn, err := s.dial()
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	s.clients[name] = &scriptClient{conn, bufio.NewReader(conn)}
	return s.clients[name], nil
}

func (c *scriptClient) expect(want []byte) error {
	for len(want) > 0 {
		got, err := readRawPacket(c.r)
		if err != nil {
			return fmt.Errorf("got % x, %w", got, err)
		}
		if !bytes.HasPrefix(want, got) {
			return fmt.Errorf("got % x\n\twant % x", got, want)
		}
		want = want[len(got):]
	}
	return nil
}

func (c *scriptClient) expectMessages(want []byte) error {
	for len(want) > 0 {
		got, err := readRawPacket(c.r)
		if err != nil {
			return fmt.Errorf("got % x, %w", got, err)
		}
		got[0] &^= dupFlag
		if !bytes.HasPrefix(want, got) {
			return fmt.Errorf("got % x\n\twant % x", got, want)
		}
		want = want[len(got):]
	}
	return nil
}

func (c *scriptClient) expectAnyOrder(want []byte) error {
	var wanted [][]byte
	for r := bufio.NewReader(bytes.NewReader(want)); ; {
		p, err := readRawPacket(r)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		wanted = append(wanted, p)
	}
next:
	for len(wanted) > 0 {
		got, err := readRawPacket(c.r)
		if err != nil {
			return fmt.Errorf("got % x, %w", got, err)
		}
		for i, w := range wanted {
			if bytes.Equal(got, w) {
				wanted = append(wanted[:i], wanted[i+1:]...)
				continue next
			}
		}
		return fmt.Errorf("got % x\n\twant one of % x", got, wanted)
	}
	return nil
}

func (c *scriptClient) expectEnd() error {
	got, err := readRawPacket(c.r)
	if len(got) > 0 {
		return fmt.Errorf("got % x\n\twant the end of the connection", got)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the connection is still there")
	}
	return nil
}

// readRawPacket gives one packet as it came.
func readRawPacket(r *bufio.Reader) ([]byte, error) {
	first, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	packet, length := []byte{first}, 0
	for shift := 0; ; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return packet, err
		}
		packet = append(packet, b)
		length |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			break
		}
	}
	body := make([]byte, length)
	n, err := io.ReadFull(r, body)
	return append(packet, body[:n]...), err
}

// packets311 reads the notation of scripts; a mistake in it is one of the test's author.
func packets311(text string) []byte {
	p := &notation{rest: text}
	out := p.sequence()
	if p.rest != "" {
		panic(fmt.Sprintf("%q: %q is left", text, p.rest))
	}
	return out
}

type notation struct{ rest string }

func (p *notation) sequence() []byte {
	var out, last []byte
	for {
		p.rest = strings.TrimLeft(p.rest, " ")
		switch {
		case p.rest == "" || p.rest[0] == ')':
			return out
		case p.rest[0] == '(':
			p.rest = p.rest[1:]
			body := p.sequence()
			p.rest = strings.TrimPrefix(p.rest, ")")
			first := out[len(out)-1]
			last = append(appendFixedHeader(nil, first, len(body)), body...)
			out = append(out[:len(out)-1], last...)
		case p.rest[0] == '*':
			var n int
			if _, err := fmt.Sscanf(p.rest, "*%d", &n); err != nil {
				panic(err)
			}
			p.rest = strings.TrimLeft(p.rest[1:], " 0123456789")
			out = append(out, bytes.Repeat(last, n-1)...)
		case p.rest[0] == '\'':
			last = p.text()
			out = append(out, last...)
		case strings.HasPrefix(p.rest, "s("): // a string that text cannot be written for
			p.rest = p.rest[2:]
			body := p.sequence()
			p.rest = strings.TrimPrefix(p.rest, ")")
			last = appendString(nil, body)
			out = append(out, last...)
		case strings.HasPrefix(p.rest, "s'"):
			p.rest = p.rest[1:]
			last = appendString(nil, p.text())
			out = append(out, last...)
		default:
			b, err := hex.DecodeString(p.rest[:2])
			if err != nil {
				panic(fmt.Sprintf("%q: %v", p.rest, err))
			}
			p.rest, last = p.rest[2:], b
			out = append(out, b...)
		}
	}
}

func (p *notation) text() []byte {
	text, rest, ok := strings.Cut(p.rest[1:], "'")
	if !ok {
		panic(fmt.Sprintf("%q: no end of the text", p.rest))
	}
	p.rest = rest
	return []byte(text)
}
