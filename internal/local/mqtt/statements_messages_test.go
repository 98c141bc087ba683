package mqtt

var publishStatements = []statement{
	{id: "MQTT-3.3.1-2 a message of QoS 0 is no duplicate", script: `
		a + dup-qos-0
		a > 38(s'dup/qos/0' 'x')
		a |`, mosquitto: "2.0.11 lets it pass"},
	{id: "MQTT-3.3.1-3 DUP is not passed on", script: `
		w + dup-watcher
		w > 82(0001 s'dup/passed/on' 02)
		w < 90(0001 02)
		a + dup-sender
		a > 3a(s'dup/passed/on' 0005 'one')
		a < 40(0005)
		w < 32(s'dup/passed/on' 0001 'one')
		w > 40(0001)
		a > 3c(s'dup/passed/on' 0006 'two')
		a < 50(0006)
		a > 62(0006)
		a < 70(0006)
		w < 34(s'dup/passed/on' 0002 'two')
		w > 50(0002)
		w < 62(0002)
		w > 70(0002)
		w .`},
	{id: "MQTT-3.3.1-4 QoS 3 ends the connection", script: `
		a + qos-3
		a > 36(s'qos/3' 0001 'x')
		a |
		b + qos-3-dup
		b > 3f(s'qos/3' 0001 'x')
		b |`},
	{id: "MQTT-3.3.2-1 MQTT-4.7.3-1 a topic of no characters ends the connection", script: `
		a + topic-empty
		a > 30(s'' 'x')
		a |
		b + topic-empty-qos-1
		b > 32(s'' 0001 'x')
		b |`},
	{id: "MQTT-3.3.2-2 wildcards in a topic end the connection", script: `
		a + topic-plus
		a > 30(s'wild/+/card' 'x')
		a |
		b + topic-hash
		b > 32(s'wild/#' 0001 'x')
		b |
		c + topic-hash-within
		c > 34(s'wild#card' 0001 'x')
		c |
		d + topic-plus-within
		d > 30(s'wild+card' 'x')
		d |`},
	{id: "3.3.3 a payload may be empty, at each QoS", script: `
		a + payload-empty
		a > 82(0001 s'payload/empty' 02)
		a < 90(0001 02)
		a > 30(s'payload/empty')
		a < 30(s'payload/empty')
		a > 32(s'payload/empty' 0002)
		a ? 40(0002) 32(s'payload/empty' 0001)
		a > 40(0001)
		a > 34(s'payload/empty' 0003)
		a < 50(0003)
		a > 62(0003)
		a ? 70(0003) 34(s'payload/empty' 0002)
		a > 50(0002)
		a < 62(0002)
		a > 70(0002)
		a .`},
	{id: "MQTT-3.3.4-1 MQTT-4.3.2-2 QoS 1", script: `
		a + qos-1
		a > 32(s'qos/1' 1234 'x')
		a < 40(1234)
		a > 3a(s'qos/1' 1234 'x')
		a < 40(1234)
		a .`},
	{id: "MQTT-4.3.3-2 QoS 2", script: `
		a + qos-2
		a > 34(s'qos/2' 1234 'x')
		a < 50(1234)
		a > 62(1234)
		a < 70(1234)
		a > 62(1234)
		a < 70(1234)
		a .`},
	{id: "MQTT-4.3.3-2 a message of QoS 2 that comes twice is passed on once", script: `
		w + twice-watcher
		w > 82(0001 s'qos/2/twice' 00)
		w < 90(0001 00)
		a + twice
		a > 34(s'qos/2/twice' 0007 'x')
		a < 50(0007)
		a > 3c(s'qos/2/twice' 0007 'x')
		a < 50(0007)
		a > 62(0007)
		a < 70(0007)
		a > 62(0007)
		a < 70(0007)
		w < 30(s'qos/2/twice' 'x')
		w .`},
	{id: "4.3.3 messages of QoS 2 are passed on in the order of their release or of their coming, each once", script: `
		w + interleaved-watcher
		w > 82(0001 s'qos/2/interleaved' 00)
		w < 90(0001 00)
		a + interleaved
		a > 34(s'qos/2/interleaved' 0001 'one') 34(s'qos/2/interleaved' 0002 'two') 34(s'qos/2/interleaved' 0003 'three')
		a < 50(0001) 50(0002) 50(0003)
		a > 62(0001) 62(0002) 62(0003)
		a < 70(0001) 70(0002) 70(0003)
		w < 30(s'qos/2/interleaved' 'one') 30(s'qos/2/interleaved' 'two') 30(s'qos/2/interleaved' 'three')
		w .`},
	{id: "3.6.4 PUBREL of a message that is not known is answered", script: `
		a + pubrel-unknown
		a > 62(4321)
		a < 70(4321)
		a .`},
	{id: "MQTT-3.3.5-1 MQTT-3.8.4-6 each QoS is that of the message or of the subscription, whichever is lower", script: `
		z + qos-matrix-0
		z > 82(0001 s'qos/matrix' 00)
		z < 90(0001 00)
		o + qos-matrix-1
		o > 82(0001 s'qos/matrix' 01)
		o < 90(0001 01)
		t + qos-matrix-2
		t > 82(0001 s'qos/matrix' 02)
		t < 90(0001 02)
		a + qos-matrix
		a > 30(s'qos/matrix' 'zero')
		z < 30(s'qos/matrix' 'zero')
		o < 30(s'qos/matrix' 'zero')
		t < 30(s'qos/matrix' 'zero')
		a > 32(s'qos/matrix' 0001 'one')
		a < 40(0001)
		z < 30(s'qos/matrix' 'one')
		o < 32(s'qos/matrix' 0001 'one')
		o > 40(0001)
		t < 32(s'qos/matrix' 0001 'one')
		t > 40(0001)
		a > 34(s'qos/matrix' 0002 'two')
		a < 50(0002)
		a > 62(0002)
		a < 70(0002)
		z < 30(s'qos/matrix' 'two')
		o < 32(s'qos/matrix' 0002 'two')
		o > 40(0002)
		t < 34(s'qos/matrix' 0002 'two')
		t > 50(0002)
		t < 62(0002)
		t > 70(0002)
		z .
		o .
		t .`},
	{id: "MQTT-4.3.3-1 PUBREC that comes again is answered again", script: `
		w + pubrec-again
		w > 82(0001 s'pubrec/again' 02)
		w < 90(0001 02)
		w > 34(s'pubrec/again' 0001 'x')
		w < 50(0001)
		w > 62(0001)
		w ? 70(0001) 34(s'pubrec/again' 0001 'x')
		w > 50(0001)
		w < 62(0001)
		w > 50(0001)
		w < 62(0001)
		w > 70(0001)
		w .`},
	{id: "MQTT-4.6.0-2 MQTT-4.6.0-3 MQTT-4.6.0-6 order is kept", script: `
		w + ordered-watcher
		w > 82(0001 s'ordered/#' 01)
		w < 90(0001 01)
		a + ordered
		a > 32(s'ordered/a' 0001 '1') 32(s'ordered/b' 0002 '2') 32(s'ordered/a' 0003 '3') 32(s'ordered/a' 0004 '4')
		a < 40(0001) 40(0002) 40(0003) 40(0004)
		w < 32(s'ordered/a' 0001 '1') 32(s'ordered/b' 0002 '2') 32(s'ordered/a' 0003 '3') 32(s'ordered/a' 0004 '4')
		w > 40(0001) 40(0002) 40(0003) 40(0004)
		w .`},
	{id: "3.3 a client receives what it publishes itself", script: `
		a + self
		a > 82(0001 s'self' 01)
		a < 90(0001 01)
		a > 32(s'self' 0002 'x')
		a ? 40(0002) 32(s'self' 0001 'x')
		a > 40(0001)
		a .`},
	{id: "2.2.3 lengths around the limits of their bytes", script: `
		a + lengths
		a > 82(0001 s'len' 00)
		a < 90(0001 00)
		a > 30(s'len' 'x' *122)
		a < 30(s'len' 'x' *122)
		a > 30(s'len' 'x' *123)
		a < 30(s'len' 'x' *123)
		a > 30(s'len' 'x' *16378)
		a < 30(s'len' 'x' *16378)
		a > 30(s'len' 'x' *16379)
		a < 30(s'len' 'x' *16379)
		a > 30(s'len' 'x' *2097146)
		a < 30(s'len' 'x' *2097146)
		a > 30(s'len' 'x' *2097147)
		a < 30(s'len' 'x' *2097147)`},
	{id: "1.5.3 a topic may have 65535 bytes, at each QoS", script: `
		a + topic-65535
		a > 82(0001 s('0123456789abcde' *4369) 02)
		a < 90(0001 02)
		a > 30(s('0123456789abcde' *4369) 'x')
		a < 30(s('0123456789abcde' *4369) 'x')
		a > 35(s('0123456789abcde' *4369) 0003 'y')
		a < 50(0003)
		a > 62(0003)
		a ? 70(0003) 34(s('0123456789abcde' *4369) 0001 'y')
		a > 50(0001)
		a < 62(0001)
		a > 70(0001)
		a > 82(0004 s('0123456789abcde' *4369) 00)
		a < 90(0004 00) 31(s('0123456789abcde' *4369) 'y')
		a > 31(s('0123456789abcde' *4369))
		a < 30(s('0123456789abcde' *4369))
		a .`},
	{id: "4.7 long levels match as short ones, and what is too long in short ones is not acknowledged", script: `
		a + long-levels
		a > 82(0001 s('long/' 'x' *2000 '/#') 01)
		a < 90(0001 01)
		a > 82(0002 s('long/+/end of it') 01)
		a < 90(0002 01)
		s + long-levels-sender
		s > 32(s('long/' 'x' *2000 '/' 'y' *3000) 0001 '1')
		s < 40(0001)
		a < 32(s('long/' 'x' *2000 '/' 'y' *3000) 0001 '1')
		a > 40(0001)
		s > 32(s('long/' 'x' *2001 '/end of it') 0002 '2')
		s < 40(0002)
		a < 32(s('long/' 'x' *2001 '/end of it') 0002 '2')
		a > 40(0002)
		a .
		b + long-levels-reserved
		b > 82(0001 s('$' 'x' *2000 '/+') 01 s('$z/' 'x' *2000) 01)
		b < 90(0001 01 01)
		s > 32(s('$' 'x' *2000 '/a') 0003 '3')
		s < 40(0003)
		b < 32(s('$' 'x' *2000 '/a') 0001 '3')
		b > 40(0001)
		s > 32(s('$z/' 'x' *2000) 0004 '4')
		s < 40(0004)
		b < 32(s('$z/' 'x' *2000) 0002 '4')
		b > 40(0002)
		b .
		c + long-levels-plus
		c > 82(0001 s'+/long-levels' 00)
		c < 90(0001 00)
		s > 30(s('$' 'x' *2000 '/long-levels') 'x')
		s .
		c .
		d + long-levels-too-many
		d > 30(s('d/' *32767) 'x')
		d .
		d > 32(s('d/' *32767) 0001 'x')
		d |
		e + long-levels-of-dots
		e > 34(s('e./' *18000) 0001 'x')
		e |
		f + long-levels-empty
		f > 32(s('f//' *18000) 0001 'x')
		f |
		g + long-levels-just-enough
		g > 82(0001 s('h//' *16000) 02)
		g < 90(0001 02)
		g > 32(s('h//' *16000) 0001 'x')
		g ? 40(0001) 32(s('h//' *16000) 0001 'x')
		g > 40(0001)
		g .`, mosquitto: "2.0.11 closes at more than 200 levels"},
}

var retainStatements = []statement{
	{id: "MQTT-3.3.1-5 MQTT-3.3.1-6 MQTT-3.3.1-8 a retained message is there for the next subscriber", script: `
		a + retain-0
		a > 31(s'retain/0' 'kept') 82(0001 s'retain/0' 00)
		a < 90(0001 00) 31(s'retain/0' 'kept')
		b + retain-1
		b > 33(s'retain/1' 0001 'kept')
		b < 40(0001)
		b > 82(0002 s'retain/1' 01)
		b < 90(0002 01) 33(s'retain/1' 0001 'kept')
		b > 40(0001)
		c + retain-2
		c > 35(s'retain/2' 0001 'kept')
		c < 50(0001)
		c > 62(0001)
		c < 70(0001)
		c > 82(0002 s'retain/2' 02)
		c < 90(0002 02) 35(s'retain/2' 0001 'kept')
		c > 50(0001)
		c < 62(0001)
		c > 70(0001)
		c .`},
	{id: "3.8.4 a subscription is not for the messages before it", script: `
		a + before-subscribe
		a > 33(s'before/subscribe' 0001 'kept') 82(0002 s'before/subscribe' 01)
		a ? 40(0001) 90(0002 01) 33(s'before/subscribe' 0001 'kept')
		a > 40(0001)
		a .
		b + before-subscribe-2
		b > 34(s'before/subscribe/2' 0001 'x')
		b < 50(0001)
		b > 62(0001) 82(0002 s'before/subscribe/2' 01)
		b ? 70(0001) 90(0002 01)
		b .`},
	{id: "MQTT-3.3.1-5 the last retained message is the one, for every client", script: `
		a + retain-last
		b + retain-last-reader
		a > 33(s'retain/last' 0001 'first')
		a < 40(0001)
		b > 82(0001 s'retain/last' 00)
		b < 90(0001 00) 31(s'retain/last' 'first')
		b > a2(0002 s'retain/last')
		b < b0(0002)
		a > 33(s'retain/last' 0002 'second')
		a < 40(0002)
		b > 82(0003 s'retain/last' 00)
		b < 90(0003 00) 31(s'retain/last' 'second')
		b > a2(0004 s'retain/last')
		b < b0(0004)
		a > 31(s'retain/last' 'third') c000
		a < d000
		b > 82(0005 s'retain/last' 00)
		b < 90(0005 00) 31(s'retain/last' 'third')`},
	{id: "MQTT-3.3.1-9 a subscriber that is there receives it as any other", script: `
		w + retain-there
		w > 82(0001 s'retain/there' 01)
		w < 90(0001 01)
		a + retain-there-sender
		a > 33(s'retain/there' 0001 'x')
		a < 40(0001)
		w < 32(s'retain/there' 0001 'x')
		w > 40(0001)
		w .`},
	{id: "MQTT-3.3.1-10 MQTT-3.3.1-11 an empty retained message removes, and is passed on", script: `
		w + retain-empty-watcher
		w > 82(0001 s'retain/empty' 00)
		w < 90(0001 00)
		a + retain-empty
		a > 31(s'retain/empty' 'kept') 31(s'retain/empty') 82(0001 s'retain/empty' 00)
		a < 90(0001 00)
		a .
		w < 30(s'retain/empty' 'kept') 30(s'retain/empty')
		w .
		a > 33(s'retain/empty/more' 0001 'kept')
		a < 40(0001)
		a > 33(s'retain/empty/more' 0002)
		a < 40(0002)
		b + retain-empty-reader
		b > 82(0001 s'retain/empty/#' 00)
		b < 90(0001 00)
		b .`},
	{id: "MQTT-3.3.1-12 a message that is not retained leaves the retained one alone", script: `
		a + retain-alone
		a > 31(s'retain/alone' 'kept') 30(s'retain/alone' 'passing') 30(s'retain/alone') 82(0001 s'retain/alone' 00)
		a < 90(0001 00) 31(s'retain/alone' 'kept')
		a .`},
	{id: "MQTT-3.8.4-3 subscribing again sends the retained message again", script: `
		a + retain-again
		a > 31(s'retain/again' 'kept') 82(0001 s'retain/again' 00)
		a < 90(0001 00) 31(s'retain/again' 'kept')
		a > 82(0002 s'retain/again' 00)
		a < 90(0002 00) 31(s'retain/again' 'kept')
		a .`},
	{id: "MQTT-3.8.4-6 a retained message comes with the lower QoS", script: `
		a + retain-lower
		a > 35(s'retain/lower' 0001 'two')
		a < 50(0001)
		a > 62(0001)
		a < 70(0001)
		a > 82(0002 s'retain/lower' 00)
		a < 90(0002 00) 31(s'retain/lower' 'two')
		a > 82(0003 s'retain/lower' 01)
		a < 90(0003 01) 33(s'retain/lower' 0001 'two')
		a > 40(0001)
		b + retain-lower-2
		b > 31(s'retain/lower/zero' 'zero') 82(0001 s'retain/lower/zero' 02)
		b < 90(0001 02) 31(s'retain/lower/zero' 'zero')
		b .`},
	{id: "MQTT-3.3.1-6 a filter with wildcards receives each that matches", script: `
		a + retain-wild
		a > 31(s'retain/wild' 'root') 31(s'retain/wild/a' 'a') 31(s'retain/wild/b' 'b') 31(s'retain/wild/b/c' 'c')
		a > 82(0001 s'retain/wild/#' 00)
		a < 90(0001 00)
		a ? 31(s'retain/wild' 'root') 31(s'retain/wild/a' 'a') 31(s'retain/wild/b' 'b') 31(s'retain/wild/b/c' 'c')
		a .
		b + retain-wild-plus
		b > 82(0001 s'retain/wild/+' 00)
		b < 90(0001 00)
		b ? 31(s'retain/wild/a' 'a') 31(s'retain/wild/b' 'b')
		b .
		c + retain-wild-deep
		c > 82(0001 s'retain/wild/+/c' 00)
		c < 90(0001 00) 31(s'retain/wild/b/c' 'c')
		c .`},
	{id: "3.3.1.3 retained messages outlive their sender's session", script: `
		a + retain-outlive
		a > 31(s'retain/outlive' 'kept')
		a -
		a + retain-outlive
		a > 82(0001 s'retain/outlive' 00)
		a < 90(0001 00) 31(s'retain/outlive' 'kept')
		a .`},
}

var willStatements = []statement{
	{id: "MQTT-3.1.2-8 a will is published when the connection breaks", script: `
		w + will-watcher
		w > 82(0001 s'will/breaks/#' 02)
		w < 90(0001 02)
		a > 10(s'MQTT' 04 06 0000 s'will-0' s'will/breaks/0' s'gone')
		a < 20(00 00)
		a x
		w < 30(s'will/breaks/0' 'gone')
		b > 10(s'MQTT' 04 0e 0000 s'will-1' s'will/breaks/1' s'gone')
		b < 20(00 00)
		b x
		w < 32(s'will/breaks/1' 0001 'gone')
		w > 40(0001)
		c > 10(s'MQTT' 04 16 0000 s'will-2' s'will/breaks/2' s'')
		c < 20(00 00)
		c x
		w < 34(s'will/breaks/2' 0002)
		w > 50(0002)
		w < 62(0002)
		w > 70(0002)
		w .`},
	{id: "MQTT-3.1.2-17 a will is retained though its client broke off before CONNACK", script: `
		w + will-early-watcher
		w > 82(0001 s'will/early' 01)
		w < 90(0001 01)
		a > 10(s'MQTT' 04 26 0000 s'will-early' s'will/early' s'gone')
		a x
		w < 30(s'will/early' 'gone')
		b + will-early-late
		b > 82(0001 s'will/early' 01)
		b < 90(0001 01) 31(s'will/early' 'gone')
		b .`},
	{id: "MQTT-3.1.2-8 a will is published when keep alive runs out", script: `
		w + will-late-watcher
		w > 82(0001 s'will/late' 00)
		w < 90(0001 00)
		a > 10(s'MQTT' 04 06 0001 s'will-late' s'will/late' s'gone')
		a < 20(00 00)
		w < 30(s'will/late' 'gone')
		a |
		w .`},
	{id: "MQTT-3.1.2-8 a will is published when a client breaks the protocol", script: `
		w + will-protocol-watcher
		w > 82(0001 s'will/protocol' 00)
		w < 90(0001 00)
		a > 10(s'MQTT' 04 06 0000 s'will-protocol' s'will/protocol' s'gone')
		a < 20(00 00)
		a > 36(s'x' 0001)
		a |
		w < 30(s'will/protocol' 'gone')
		w .`},
	{id: "MQTT-3.1.2-8 a will is published when a client connects twice", script: `
		w + will-twice-watcher
		w > 82(0001 s'will/twice' 00)
		w < 90(0001 00)
		b > 10(s'MQTT' 04 06 0000 s'will-twice' s'will/twice' s'again')
		b < 20(00 00)
		b > 10(s'MQTT' 04 06 0000 s'will-twice' s'will/twice' s'again')
		b |
		w < 30(s'will/twice' 'again')
		w .`, mosquitto: "it discards the will"},
	{id: "MQTT-3.1.2-8 a will is published when another client takes the identifier", script: `
		w + will-taken-watcher
		w > 82(0001 s'will/taken' 00)
		w < 90(0001 00)
		a > 10(s'MQTT' 04 06 0000 s'will-taken' s'will/taken' s'gone')
		a < 20(00 00)
		b + will-taken
		a |
		w < 30(s'will/taken' 'gone')
		w .
		b .`},
	{id: "MQTT-3.1.2-10 MQTT-3.14.4-3 a goodbye discards the will", script: `
		w + will-goodbye-watcher
		w > 82(0001 s'will/goodbye' 00)
		w < 90(0001 00)
		a > 10(s'MQTT' 04 06 0000 s'will-goodbye' s'will/goodbye' s'gone')
		a < 20(00 00)
		a -
		w .
		a + will-goodbye
		a x
		b + will-goodbye
		w .`},
	{id: "MQTT-3.1.2-17 a will is retained when it says so", script: `
		a > 10(s'MQTT' 04 26 0000 s'will-retained' s'will/retained' s'gone')
		a < 20(00 00)
		w + will-retained-watcher
		w > 82(0001 s'will/retained' 00)
		w < 90(0001 00)
		a x
		w < 30(s'will/retained' 'gone')
		b + will-retained-reader
		b > 82(0001 s'will/retained' 00)
		b < 90(0001 00) 31(s'will/retained' 'gone')
		b .`},
	{id: "MQTT-3.1.2-16 a will is not retained when it does not say so", script: `
		a > 10(s'MQTT' 04 06 0000 s'will-passing' s'will/passing' s'gone')
		a < 20(00 00)
		w + will-passing-watcher
		w > 82(0001 s'will/passing' 00)
		w < 90(0001 00)
		a x
		w < 30(s'will/passing' 'gone')
		b + will-passing-reader
		b > 82(0001 s'will/passing' 00)
		b < 90(0001 00)
		b .`},
	{id: "3.1.2.5 an empty retained will removes the retained message", script: `
		a > 10(s'MQTT' 04 26 0000 s'will-removes' s'will/removes' s'')
		a < 20(00 00)
		a > 31(s'will/removes' 'kept')
		a .
		a x
		b + will-removes
		b > 82(0001 s'will/removes' 00)
		b < 90(0001 00)
		b .`},
}
