package mqtt

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Flags of CONNECT, MQTT 3.1.1 section 3.1.2.3.
const (
	reservedFlag     = 0x01
	cleanSessionFlag = 0x02
	willFlag         = 0x04
	willQoSFlags     = 0x18
	willRetainFlag   = 0x20
	passwordFlag     = 0x40
	userFlag         = 0x80
)

// Return codes of CONNACK, section 3.2.2.3.
const (
	refusedLevel      = 1
	refusedIdentifier = 2
	refusedAuth       = 5
)

const (
	level31  = 3
	level311 = 4
	level5   = 5
)

// connectPacket is a CONNECT that the gateway lets in.
type connectPacket struct {
	level     byte
	clean     bool
	keepAlive uint16 // in seconds
	id        []byte
	will      *will

	user, password []byte // nil when the client gives none
}

type will struct {
	topic, payload []byte
	qos            byte
	retain         bool
}

// refusal is a CONNECT that is answered before the connection ends.
type refusal struct {
	connack []byte
	why     string
}

func (e *refusal) Error() string { return "refused: " + e.why }

func refuse(code byte, format string, args ...any) *refusal {
	return &refusal{connack: []byte{typeConnack << 4, 2, 0, code}, why: fmt.Sprintf(format, args...)}
}

// errMalformedConnect ends a connection without an answer (MQTT-3.1.4-1).
var errMalformedConnect = errors.New("malformed CONNECT")

// parseConnect reads what follows the fixed header of CONNECT, sections 3.1.2 and 3.1.3.
func parseConnect(body []byte) (*connectPacket, error) {
	name, rest, ok := cutString(body)
	if !ok || len(rest) < 1 {
		return nil, errMalformedConnect
	}
	level, rest := rest[0], rest[1:]
	switch {
	case string(name) == "MQTT" && level == level311, string(name) == "MQIsdp" && level == level31:
		return parseConnect311(level, rest)
	case string(name) == "MQTT" && level == level5 && isConnect5(rest):
		return nil, refuse5(rest)
	case string(name) == "MQTT", string(name) == "MQIsdp":
		return nil, refuse(refusedLevel, "%s at protocol level %d is not spoken here, but MQTT 3.1.1, which is level 4", name, level)
	}
	return nil, fmt.Errorf("%w: protocol name %.20q", errMalformedConnect, name) // MQTT-3.1.2-1
}

func parseConnect311(level byte, b []byte) (*connectPacket, error) {
	if len(b) < 3 {
		return nil, errMalformedConnect
	}
	flags := b[0]
	p := &connectPacket{level: level, clean: flags&cleanSessionFlag != 0, keepAlive: binary.BigEndian.Uint16(b[1:])}
	b = b[3:]
	willQoS := flags & willQoSFlags >> 3
	switch {
	case flags&reservedFlag != 0,
		flags&willFlag == 0 && flags&(willQoSFlags|willRetainFlag) != 0,
		willQoS == 3,
		flags&userFlag == 0 && flags&passwordFlag != 0:
		return nil, fmt.Errorf("%w: flags %#x", errMalformedConnect, flags)
	}
	var ok bool
	if p.id, b, ok = cutText(b); !ok {
		return nil, fmt.Errorf("%w: client identifier", errMalformedConnect)
	}
	if flags&willFlag != 0 {
		p.will = &will{qos: willQoS, retain: flags&willRetainFlag != 0}
		if p.will.topic, b, ok = cutText(b); !ok || len(p.will.topic) == 0 || bytes.ContainsAny(p.will.topic, "+#") {
			return nil, fmt.Errorf("%w: will topic", errMalformedConnect)
		}
		if p.will.payload, b, ok = cutString(b); !ok {
			return nil, fmt.Errorf("%w: will message", errMalformedConnect)
		}
	}
	if flags&userFlag != 0 {
		if p.user, b, ok = cutText(b); !ok {
			return nil, fmt.Errorf("%w: user name", errMalformedConnect)
		}
	}
	if flags&passwordFlag != 0 {
		if p.password, b, ok = cutString(b); !ok {
			return nil, fmt.Errorf("%w: password", errMalformedConnect)
		}
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errMalformedConnect, len(b))
	}
	if len(p.id) == 0 && (!p.clean || level == level31) { // MQTT-3.1.3-8
		return nil, refuse(refusedIdentifier, "no client identifier, which only a clean session of MQTT 3.1.1 may have")
	}
	return p, nil
}

// cutText splits off a string that must be UTF-8 without U+0000 (MQTT-1.5.3-1, MQTT-1.5.3-2).
func cutText(b []byte) (text, rest []byte, ok bool) {
	text, rest, ok = cutString(b)
	return text, rest, ok && isText(text)
}

func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// isConnect5 says whether what follows the protocol level is that of MQTT 5, where properties stand before the client
// identifier. A CONNECT of MQTT 3.1.1 that merely names level 5 is not.
func isConnect5(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	length, n := 0, 3
	for shift := 0; ; shift += 7 {
		if n == len(b) || shift > 21 {
			return false
		}
		length |= int(b[n]&0x7f) << shift
		n++
		if b[n-1]&0x80 == 0 {
			break
		}
	}
	if len(b)-n < length {
		return false
	}
	_, _, ok := cutString(b[n+length:])
	return ok
}

// refuse5 is a refusal in the words of MQTT 5: Unsupported Protocol Version, with a reason where the client sets no limit
// to packets (MQTT-3.2.2-19 of MQTT 5).
func refuse5(b []byte) *refusal {
	const (
		unsupportedProtocolVersion = 0x84
		reasonString               = 0x1f
		maximumPacketSize          = 0x27
		reason                     = "this broker speaks MQTT 3.1.1: set the client's protocol version to 4, or 3.1.1"
	)
	var properties []byte
	if bytes.IndexByte(b, maximumPacketSize) < 0 {
		properties = appendString([]byte{reasonString}, []byte(reason))
	}
	body := append([]byte{0, unsupportedProtocolVersion, byte(len(properties))}, properties...)
	return &refusal{
		connack: append(appendFixedHeader(nil, typeConnack<<4, len(body)), body...),
		why:     "MQTT 5 is not spoken here: set the client's protocol version to 4, or 3.1.1",
	}
}

// authorized says whether p may come in to a broker that demands a user and a password.
func (p *connectPacket) authorized(user, password string) bool {
	return subtle.ConstantTimeCompare(p.user, []byte(user)) == 1 && subtle.ConstantTimeCompare(p.password, []byte(password)) == 1
}

// forBackend gives p as the backend is told: with the credentials that it was given, without the will's retain flag, since
// the gateway keeps retained messages itself, and without keep alive, so that the gateway is the first to know of a
// connection's end.
func (p *connectPacket) forBackend(levels *longLevels, user, password string) ([]byte, error) {
	var flags byte
	if p.clean {
		flags |= cleanSessionFlag
	}
	if p.will != nil {
		flags |= willFlag | p.will.qos<<3
	}
	if user != "" {
		flags |= userFlag | passwordFlag
	}
	body := append(appendString(nil, []byte("MQTT")), level311, flags, 0, 0)
	body = appendString(body, clientIDToBackend(p.id))
	if p.will != nil {
		topic, err := levels.topic(p.will.topic, p.will.qos)
		if err != nil {
			return nil, err
		}
		body = appendString(appendString(body, topic), p.will.payload)
	}
	if user != "" {
		body = appendString(appendString(body, []byte(user)), []byte(password))
	}
	return append(appendFixedHeader(nil, typeConnect<<4, len(body)), body...), nil
}
