package mqtt

var connectStatements = []statement{
	{id: "MQTT-3.1.0-1 anything before CONNECT ends the connection", script: `
		a > c000
		a |
		b > 30(s'so/what' 'x')
		b |
		c > 82(0001 s'so/what' 00)
		c |
		d > e000
		d |
		e > 20(00 00)
		e |`},
	{id: "MQTT-3.1.0-2 a second CONNECT ends the connection", script: `
		a + connect-twice
		a > 10(s'MQTT' 04 02 0000 s'connect-twice')
		a |`},
	{id: "MQTT-3.1.2-1 another protocol name ends the connection", script: `
		a > 10(s'hj' 04 02 0000 s'protocol-name')
		a |
		b > 10(s'mqtt' 04 02 0000 s'protocol-name')
		b |
		c > 10(s'MQTTX' 04 02 0000 s'protocol-name')
		c |
		d > 10(s'' 04 02 0000 s'protocol-name')
		d |`},
	{id: "MQTT-3.1.2-2 another protocol level is answered with 1", script: `
		a > 10(s'MQTT' 02 02 0000 s'protocol-level')
		a < 20(00 01)
		a |
		b > 10(s'MQTT' 06 02 0000 s'protocol-level')
		b < 20(00 01)
		b |
		c > 10(s'MQTT' ff 02 0000 s'protocol-level')
		c < 20(00 01)
		c |
		d > 10(s'MQTT' 00 02 0000 s'protocol-level')
		d < 20(00 01)
		d |`},
	{id: "MQTT-3.1.2-3 the reserved flag ends the connection", script: `
		a > 10(s'MQTT' 04 03 0000 s'reserved-flag')
		a |`},
	{id: "MQTT-3.1.2-9 MQTT-3.1.3-1 a will without its fields ends the connection", script: `
		a > 10(s'MQTT' 04 06 0000 s'no-will')
		a |
		b > 10(s'MQTT' 04 06 0000 s'no-will' s'will/topic')
		b |`},
	{id: "MQTT-3.1.2-11 MQTT-3.1.2-13 no will, but its QoS", script: `
		a > 10(s'MQTT' 04 0a 0000 s'will-qos')
		a |
		b > 10(s'MQTT' 04 12 0000 s'will-qos')
		b |`},
	{id: "MQTT-3.1.2-14 a will of QoS 3 ends the connection", script: `
		a > 10(s'MQTT' 04 1e 0000 s'will-qos-3' s'will/qos/3' s'x')
		a |`},
	{id: "MQTT-3.1.2-15 no will, but its retain flag", script: `
		a > 10(s'MQTT' 04 22 0000 s'will-retain')
		a |`},
	{id: "MQTT-3.1.2-18 fields behind those that the flags name end the connection", script: `
		a > 10(s'MQTT' 04 02 0000 s'extra-field' s'user')
		a |
		b > 10(s'MQTT' 04 82 0000 s'extra-field' s'user' s'password')
		b |`, mosquitto: "it ignores them"},
	{id: "MQTT-3.1.2-19 MQTT-3.1.2-21 no user name or password where the flags promise one", script: `
		a > 10(s'MQTT' 04 82 0000 s'no-user')
		a |
		b > 10(s'MQTT' 04 c2 0000 s'no-password' s'user')
		b |`},
	{id: "MQTT-3.1.2-22 a password without a user name ends the connection", script: `
		a > 10(s'MQTT' 04 42 0000 s'password-only' s'secret')
		a |`},
	{id: "3.1.3.4 a user name may be empty", script: `
		a > 10(s'MQTT' 04 82 0000 s'empty-user' s'')
		a < 20(00 00)
		a .
		b > 10(s'MQTT' 04 c2 0000 s'empty-password' s'user' s'')
		b < 20(00 00)
		b .`},
	{id: "3.1.3.5 a password is bytes", script: `
		a > 10(s'MQTT' 04 c2 0000 s'binary-password' s'user' s(00 ff fe))
		a < 20(00 00)
		a .`},
	{id: "3.1.3.3 a will message is bytes and may be empty", script: `
		a > 10(s'MQTT' 04 06 0000 s'binary-will' s'will/bytes' s(00 ff fe))
		a < 20(00 00)
		a .
		b > 10(s'MQTT' 04 06 0000 s'empty-will' s'will/empty' s'')
		b < 20(00 00)
		b .`},
	{id: "MQTT-3.1.2-24 keep alive ends a silent connection", script: `
		a > 10(s'MQTT' 04 02 0001 s'silent')
		a < 20(00 00)
		a |`},
	{id: "MQTT-3.1.3-3 no client identifier ends the connection", script: `
		a > 10(s'MQTT' 04 02 0000)
		a |
		b > 10(s'MQTT' 04 02)
		b |
		c > 10(s'MQTT')
		c |
		d > 10()
		d |`},
	{id: "MQTT-3.1.3-4 a client identifier that is not UTF-8 ends the connection", script: `
		a > 10(s'MQTT' 04 02 0000 s(61 c3 28))
		a |
		b > 10(s'MQTT' 04 02 0000 s(61 00 62))
		b |`, mosquitto: "2.0.11 answers nothing but for U+0000"},
	{id: "MQTT-3.1.3-5 identifiers of 1 to 23 characters, and longer ones and others", script: `
		a + a
		b + 0123456789abcdefghijklm
		c + ABCDEFGHIJKLMNOPQRSTUVW
		d > 10(s'MQTT' 04 02 0000 s('long-identifier' *4369))
		d < 20(00 00)
		d .
		d > 34(s'long/identifier' 0001 'x')
		d < 50(0001)
		d > 62(0001)
		d < 70(0001)
		e > 10(s'MQTT' 04 02 0000 s'with spaces/slashes+#$.*>')
		e < 20(00 00)
		e .
		f > 10(s'MQTT' 04 02 0000 s(f09f9a95 e697a5))
		f < 20(00 00)
		f .`},
	{id: "MQTT-3.1.3-6 MQTT-3.1.3-7 no identifier with a clean session", script: `
		a > 10(s'MQTT' 04 02 0000 s'')
		a < 20(00 00)
		a .
		b > 10(s'MQTT' 04 02 0000 s'')
		b < 20(00 00)
		b .
		a .`},
	{id: "MQTT-3.1.3-8 no identifier and no clean session is answered with 2", script: `
		a > 10(s'MQTT' 04 00 0000 s'')
		a < 20(00 02)
		a |`},
	{id: "MQTT-3.1.3-10 a will topic that is not UTF-8 ends the connection", script: `
		a > 10(s'MQTT' 04 06 0000 s'will-utf8' s(61 ff) s'x')
		a |
		b > 10(s'MQTT' 04 06 0000 s'will-null' s(61 00) s'x')
		b |`},
	{id: "MQTT-4.7.1-1 wildcards in a will topic, or none, end the connection", script: `
		a > 10(s'MQTT' 04 06 0000 s'will-wild' s'a/#' s'x')
		a |
		b > 10(s'MQTT' 04 06 0000 s'will-wild' s'a/+/b' s'x')
		b |
		c > 10(s'MQTT' 04 06 0000 s'will-nowhere' s'' s'x')
		c |`},
	{id: "MQTT-3.1.3-11 a user name that is not UTF-8 ends the connection", script: `
		a > 10(s'MQTT' 04 82 0000 s'user-utf8' s(61 ff))
		a |
		b > 10(s'MQTT' 04 82 0000 s'user-null' s(61 00))
		b |`},
	{id: "MQTT-3.1.4-2 the same identifier again ends the older connection", script: `
		a + same-identifier
		b + same-identifier
		a |
		b .
		c + same-identifier
		b |
		c .`},
	{id: "3.1.4 packets may come before CONNACK", script: `
		a > 10(s'MQTT' 04 02 0000 s'in-a-hurry') 82(0001 s'in/a/hurry' 00) 30(s'in/a/hurry' 'x') c000
		a < 20(00 00) 90(0001 00)
		a ? 30(s'in/a/hurry' 'x') d000`},
	{id: "MQTT-3.1.4-5 nothing of what follows a refused CONNECT is done", script: `
		w + refused-watcher
		w > 82(0001 s'refused/x' 00)
		w < 90(0001 00)
		a > 10(s'MQTT' 04 00 0000 s'') 30(s'refused/x' 'x')
		a < 20(00 02)
		a |
		w .`},
	{id: "MQTT-3.2.2-1 MQTT-3.2.2-2 MQTT-3.2.2-3 session present", script: `
		a + session-present
		a -
		b +p0 session-present
		b -
		c +p1 session-present
		c -
		d + session-present
		d -
		e +p0 session-present
		e -
		f + session-present`},
	{id: "MQTT-3.12.4-1 a ping is answered", script: `
		a + ping
		a > c000 c000 c000
		a < d000 d000 d000`},
	{id: "MQTT-3.14.4-1 MQTT-3.14.4-2 what comes behind DISCONNECT is not done", script: `
		w + disconnect-watcher
		w > 82(0001 s'after/goodbye' 00)
		w < 90(0001 00)
		a + disconnect
		a > e000 30(s'after/goodbye' 'x')
		a |
		w .`},
	{id: "MQTT-3.1.2-2 MQTT 5 is refused in its own words", script: `
		a > 10(s'MQTT' 05 02 003c 00 s'new')
		a < 20(00 84 52 1f s('this broker speaks MQTT 3.1.1: set the client' 27 's protocol version to 4, or 3.1.1'))
		a |
		b > 10(s'MQTT' 05 c2 003c 0a 11 0000000a 27 00000014 s'small' s'user' s'password')
		b < 20(00 84 00)
		b |
		c > 10(s'MQTT' 05 02 003c s'not of MQTT 5')
		c < 20(00 01)
		c |`, mosquitto: "it speaks MQTT 5"},
	{id: "MQTT 3.1 is spoken", script: `
		a > 10(s'MQIsdp' 03 02 003c s'old')
		a < 20(00 00)
		a > 82(0001 s'old/topic' 02)
		a < 90(0001 02)
		a > 34(s'old/topic' 0002 'x')
		a < 50(0002)
		a > 62(0002)
		a ? 70(0002) 34(s'old/topic' 0001 'x')
		a > 50(0001)
		a < 62(0001)
		a > 70(0001)
		a .
		a -
		b > 10(s'MQIsdp' 03 00 003c s'old')
		b < 20(00 00)
		b -
		b > 10(s'MQIsdp' 03 00 003c s'old')
		b < 20(00 00)
		b .
		c > 10(s'MQIsdp' 03 02 003c s'')
		c < 20(00 02)
		c |
		d > 10(s'MQIsdp' 04 02 003c s'old-level')
		d < 20(00 01)
		d |
		e > 10(s'MQTT' 03 02 003c s'old-name')
		e < 20(00 01)
		e |`},
	{id: "MQTT 3.1 has DUP in more packets", script: `
		a > 10(s'MQIsdp' 03 02 003c s'old-dup')
		a < 20(00 00)
		a > 8a(0001 s'old/dup' 01)
		a < 90(0001 01)
		a > 6a(0007)
		a < 70(0007)
		a > aa(0003 s'old/dup')
		a < b0(0003)
		a .`},
	{id: "MQTT-3.1.4-5 what follows CONNECT at once is of the session", script: `
		a > 10(s'MQTT' 04 00 0000 s'impatient') 82(0001 s'impatient' 01)
		a < 20(00 00) 90(0001 01)
		a > 82(0002 s'impatient' 02)
		a < 90(0002 02)
		s + impatient-sender
		s > 34(s'impatient' 0001 'x')
		s < 50(0001)
		s > 62(0001)
		s < 70(0001)
		a < 34(s'impatient' 0001 'x')
		a > 50(0001)
		a < 62(0001)
		a > 70(0001)
		a .`},
}

var formatStatements = []statement{
	{id: "MQTT-2.2.2-2 reserved bits of the fixed header end the connection", script: `
		a > 11(s'MQTT' 04 02 0000 s'flags-connect')
		a |
		b + flags-subscribe
		b > 80(0001 s'a' 00)
		b |
		c + flags-unsubscribe
		c > a0(0001 s'a')
		c |
		d + flags-pubrel
		d > 60(0001)
		d |
		e + flags-puback
		e > 41(0001)
		e |
		f + flags-pubrec
		f > 52(0001)
		f |
		g + flags-pubcomp
		g > 71(0001)
		g |
		h + flags-pingreq
		h > c100
		h |
		i + flags-subscribe-more
		i > 83(0001 s'a' 00)
		i |`, mosquitto: "2.0.11 does not look at the flags of acknowledgements"},
	{id: "MQTT-3.14.1-1 reserved bits of DISCONNECT: the will is published", script: `
		w + flags-disconnect-watcher
		w > 82(0001 s'flags/disconnect' 00)
		w < 90(0001 00)
		a > 10(s'MQTT' 04 06 0000 s'flags-disconnect' s'flags/disconnect' s'gone')
		a < 20(00 00)
		a > e100
		a |
		w < 30(s'flags/disconnect' 'gone')`},
	{id: "2.2.1 packet types 0 and 15, and a server's packets", script: `
		a + type-0
		a > 00(00)
		a |
		b + type-15
		b > f000
		b |
		c + type-connack
		c > 20(00 00)
		c |
		d + type-suback
		d > 90(0001 00)
		d |
		e + type-unsuback
		e > b0(0001)
		e |
		f + type-pingresp
		f > d000
		f |`, mosquitto: "2.0.11 ignores SUBACK and UNSUBACK"},
	{id: "2.2.3 a remaining length of five bytes ends the connection", script: `
		a + length-5
		a > 30 ff ff ff ff 7f
		a |
		b > 10 80 80 80 80 01
		b |`},
	{id: "2.2.3 a remaining length in more bytes than it needs is understood", script: `
		a + length-long
		a > c0 80 80 00
		a < d000
		a > 82 8a 00 0001 s'abcde' 00
		a < 90(0001 00)`, mosquitto: "2.0.11 takes the second for malformed"},
	{id: "packets longer or shorter than they are end the connection", script: `
		a + size-pingreq
		a > c0(00)
		a |
		b + size-disconnect
		b > e0(00)
		b |
		c + size-puback
		c > 40(0001 00)
		c |
		d + size-puback-short
		d > 40(01)
		d |
		e + size-pubrel
		e > 62(0001 00)
		e |
		f + size-pubcomp
		f > 70()
		f |
		g + size-publish
		g > 30()
		g |
		h + size-publish-topic
		h > 30(0005 'abc')
		h |
		i + size-publish-identifier
		i > 32(s'abc' 01)
		i |
		j + size-unsubscribe
		j > a2(0001 0005 'abc')
		j |
		k + size-subscribe
		k > 82(0001 0005 'abc' 00)
		k |
		l + size-subscribe-rest
		l > 82(0001 s'abc' 00 00)
		l |
		m + size-unsubscribe-rest
		m > a2(0001 s'abc' 00)
		m |`, mosquitto: "2.0.11 answers a longer PINGREQ"},
	{id: "MQTT-1.5.3-1 topics that are not UTF-8 end the connection", script: `
		a + utf8-publish
		a > 30(s(61 ff) 'x')
		a |
		b + utf8-surrogate
		b > 30(s(61 eda080) 'x')
		b |
		c + utf8-subscribe
		c > 82(0001 s(61 c0af) 00)
		c |
		d + utf8-unsubscribe
		d > a2(0001 s(61 f5808080))
		d |
		e + utf8-overlong
		e > 32(s(61 c1bf) 0001 'x')
		e |`},
	{id: "MQTT-1.5.3-2 MQTT-4.7.3-2 U+0000 ends the connection", script: `
		a + null-publish
		a > 30(s(61 00 62) 'x')
		a |
		b + null-subscribe
		b > 82(0001 s(61 00 62) 00)
		b |
		c + null-unsubscribe
		c > a2(0001 s(00))
		c |`},
	{id: "MQTT-1.5.3-3 U+FEFF is kept", script: `
		a + bom
		a > 82(0001 s(efbbbf 'bom') 00)
		a < 90(0001 00)
		a > 30(s'bom' 'without') 30(s(efbbbf 'bom') 'with')
		a < 30(s(efbbbf 'bom') 'with')
		a .`},
	{id: "1.5.3 the highest code points", script: `
		a + code-points
		a > 82(0001 s(41 f0aa9b94) 00 s(f48fbfbd) 00 s(c280 '/control') 00)
		a < 90(0001 00 00 00)
		a > 30(s(41 f0aa9b94) 'x')
		a < 30(s(41 f0aa9b94) 'x')
		a > 30(s(f48fbfbd) 'x')
		a < 30(s(f48fbfbd) 'x')`, mosquitto: "it closes at control characters and non-characters, as a server may"},
	{id: "MQTT-2.3.1-1 the packet identifier 0 ends the connection", script: `
		a + zero-publish
		a > 32(s'zero' 0000 'x')
		a |
		b + zero-publish-2
		b > 34(s'zero' 0000 'x')
		b |
		c + zero-subscribe
		c > 82(0000 s'zero' 00)
		c |
		d + zero-unsubscribe
		d > a2(0000 s'zero')
		d |`},
	{id: "2.3.1 acknowledgements of nothing are ignored", script: `
		a + of-nothing
		a > 40(0309)
		a .
		a > 70(0309)
		a .`},
	{id: "MQTT-2.3.1-2 a packet identifier may be used again once it is done with", script: `
		a + identifier-again
		a > 82(0007 s'identifier/again' 01)
		a < 90(0007 01)
		a > a2(0007 s'identifier/again')
		a < b0(0007)
		a > 32(s'identifier/again' 0007 'x')
		a < 40(0007)
		a > 32(s'identifier/again' 0007 'x')
		a < 40(0007)
		a > 32(s'identifier/again' ffff 'x')
		a < 40(ffff)`},
}
