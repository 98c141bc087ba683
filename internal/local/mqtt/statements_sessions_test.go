package mqtt

import (
	"fmt"
	"strings"
)

// hundredSubscriptions has one client subscribe a hundred filters, each of which stands for two topics.
var hundredSubscriptions = func() string {
	var filters, codes strings.Builder
	for i := range 100 {
		fmt.Fprintf(&filters, " s'hundred/%d/#' 01", i)
		codes.WriteString(" 01")
	}
	return "a + hundred\n a > 82(0001" + filters.String() + ")\n a < 90(0001" + codes.String() + ")\n" +
		"a > 32(s'hundred/0' 0001 'x')\n a ? 40(0001) 32(s'hundred/0' 0001 'x')\n a > 40(0001)\n" +
		"a > 32(s'hundred/99/y' 0002 'x')\n a ? 40(0002) 32(s'hundred/99/y' 0002 'x')\n a > 40(0002)\n a ."
}()

var subscribeStatements = []statement{
	{id: "MQTT-3.8.3-3 SUBSCRIBE without a filter ends the connection", script: `
		a + subscribe-nothing
		a > 82(0001)
		a |
		b + subscribe-less
		b > 82()
		b |`},
	{id: "MQTT-3.8.3-4 a QoS that is none ends the connection", script: `
		a + subscribe-qos-3
		a > 82(0001 s'subscribe/qos' 03)
		a |
		b + subscribe-qos-4
		b > 82(0001 s'subscribe/qos' 04)
		b |
		c + subscribe-qos-80
		c > 82(0001 s'subscribe/qos' 81)
		c |`},
	{id: "MQTT-4.7.3-1 an empty filter ends the connection", script: `
		a + subscribe-empty
		a > 82(0001 s'' 00)
		a |
		b + unsubscribe-empty
		b > a2(0001 s'')
		b |
		c + subscribe-empty-second
		c > 82(0001 s'subscribe/empty' 00 s'' 00)
		c |`},
	{id: "MQTT-3.8.4-1 MQTT-3.8.4-2 MQTT-3.8.4-5 MQTT-3.9.3-1 SUBACK answers each filter in order", script: `
		a + suback
		a > 82(1234 s'suback/a' 00 s'suback/b' 01 s'suback/c' 02 s'suback/#' 00)
		a < 90(1234 00 01 02 00)
		a > 82(ffff s'suback/d' 02)
		a < 90(ffff 02)
		a .`},
	{id: "MQTT-3.8.4-3 subscribing again takes the place of the subscription", script: `
		a + subscribe-again
		a > 82(0001 s'subscribe/again' 01)
		a < 90(0001 01)
		a > 82(0002 s'subscribe/again' 01)
		a < 90(0002 01)
		s + subscribe-again-sender
		s > 34(s'subscribe/again' 0001 'once')
		s < 50(0001)
		s > 62(0001)
		s < 70(0001)
		a < 32(s'subscribe/again' 0001 'once')
		a > 40(0001)
		a .
		a > 82(0003 s'subscribe/again' 02)
		a < 90(0003 02)
		s > 34(s'subscribe/again' 0002 'higher')
		s < 50(0002)
		s > 62(0002)
		s < 70(0002)
		a < 34(s'subscribe/again' 0002 'higher')
		a > 50(0002)
		a < 62(0002)
		a > 70(0002)
		a .
		a > 82(0004 s'subscribe/again' 01)
		a < 90(0004 01)
		s > 34(s'subscribe/again' 0003 'lower')
		s < 50(0003)
		s > 62(0003)
		s < 70(0003)
		a < 32(s'subscribe/again' 0003 'lower')
		a > 40(0003)
		a .
		a > 82(0005 s'subscribe/again' 00)
		a < 90(0005 00)
		s > 34(s'subscribe/again' 0004 'lowest')
		s < 50(0004)
		s > 62(0004)
		s < 70(0004)
		a < 30(s'subscribe/again' 'lowest')
		a .`},
	{id: "3.8.4 the same filter twice in one packet", script: `
		a + subscribe-twice
		a > 82(0001 s'subscribe/twice' 02 s'subscribe/twice' 00)
		a < 90(0001 02 00)
		a > 32(s'subscribe/twice' 0001 'x')
		a ? 40(0001) 30(s'subscribe/twice' 'x')
		a .`},
	{id: "MQTT-3.10.3-2 UNSUBSCRIBE without a filter ends the connection", script: `
		a + unsubscribe-nothing
		a > a2(0001)
		a |`},
	{id: "MQTT-3.10.4-1 MQTT-3.10.4-2 filters are compared character by character", script: `
		a + unsubscribe-other
		a > 82(0001 s'unsubscribe/a' 00 s'unsubscribe/+' 00)
		a < 90(0001 00 00)
		a > a2(0002 s'unsubscribe/A') a2(0003 s'unsubscribe/#') a2(0004 s'unsubscribe/+')
		a < b0(0002) b0(0003) b0(0004)
		a > 30(s'unsubscribe/a' 'x')
		a < 30(s'unsubscribe/a' 'x')
		a > a2(0005 s'unsubscribe/a')
		a < b0(0005)
		a > 30(s'unsubscribe/a' 'x')
		a .`},
	{id: "MQTT-3.10.4-4 MQTT-3.10.4-5 UNSUBACK answers what was never subscribed", script: `
		a + unsubscribe-never
		a > a2(4321 s'unsubscribe/never')
		a < b0(4321)
		a .`},
	{id: "MQTT-3.10.4-6 several filters in one UNSUBSCRIBE", script: `
		a + unsubscribe-several
		a > 82(0001 s'several/a' 01 s'several/b' 01 s'several/c' 01)
		a < 90(0001 01 01 01)
		a > a2(0002 s'several/a' s'several/c')
		a < b0(0002)
		s + unsubscribe-several-sender
		s > 32(s'several/a' 0001 'a') 32(s'several/b' 0002 'b') 32(s'several/c' 0003 'c')
		s < 40(0001) 40(0002) 40(0003)
		a < 32(s'several/b' 0001 'b')
		a > 40(0001)
		a .`},
	{id: "MQTT-3.10.4-3 what was on its way is finished after UNSUBSCRIBE", script: `
		a + unsubscribe-finish
		a > 82(0001 s'unsubscribe/finish' 02)
		a < 90(0001 02)
		s + unsubscribe-finish-sender
		s > 34(s'unsubscribe/finish' 0001 'x')
		s < 50(0001)
		s > 62(0001)
		s < 70(0001)
		a < 34(s'unsubscribe/finish' 0001 'x')
		a > a2(0002 s'unsubscribe/finish')
		a < b0(0002)
		a > 50(0001)
		a < 62(0001)
		a > 70(0001)
		a .`},
	{id: "3.8 a hundred subscriptions of QoS 1 in one session", script: hundredSubscriptions},
}

var topicStatements = []statement{
	{id: "MQTT-4.7.1-2 # stands for its parent and all below", script: `
		a + hash
		a > 82(0001 s'sport/tennis/player1/#' 00)
		a < 90(0001 00)
		a > 30(s'sport/tennis/player1' '1') 30(s'sport/tennis/player1/ranking' '2') 30(s'sport/tennis/player1/score/wimbledon' '3')
		a < 30(s'sport/tennis/player1' '1') 30(s'sport/tennis/player1/ranking' '2') 30(s'sport/tennis/player1/score/wimbledon' '3')
		a > 30(s'sport/tennis' 'x') 30(s'sport/tennis/player2' 'x') 30(s'sport/tennis/player11' 'x')
		a .`},
	{id: "MQTT-4.7.1-3 + stands for one level", script: `
		a + plus
		a > 82(0001 s'plus/+' 00)
		a < 90(0001 00)
		a > 30(s'plus' 'x') 30(s'plus/a' '1') 30(s'plus/a/b' 'x') 30(s'plus/' '2') 30(s'plus//' 'x')
		a < 30(s'plus/a' '1') 30(s'plus/' '2')
		a .
		b + plus-within
		b > 82(0001 s'within/+/x' 00 s'within/+/+/y' 00)
		b < 90(0001 00 00)
		b > 30(s'within/a/x' '1') 30(s'within//x' '2') 30(s'within/a/b/y' '3') 30(s'within/a/b' 'x') 30(s'within/x' 'x')
		b < 30(s'within/a/x' '1') 30(s'within//x' '2') 30(s'within/a/b/y' '3')
		b .`},
	{id: "4.7.1.3 a leading slash is a level", script: `
		a + slash
		a > 82(0001 s'/slash' 00)
		a < 90(0001 00)
		b + slash-plus
		b > 82(0001 s'+/slash' 00)
		b < 90(0001 00)
		c + slash-both
		c > 82(0001 s'/+' 00)
		c < 90(0001 00)
		s + slash-sender
		s > 30(s'slash' 'x') 30(s'/slash' '1') 30(s'/slash/' 'x')
		a < 30(s'/slash' '1')
		a .
		b < 30(s'/slash' '1')
		b .
		c < 30(s'/slash' '1')
		c .`},
	{id: "MQTT-4.7.2-1 wildcards in front do not match $", script: `
		a + dollar
		a > 82(0001 s'+/dollar' 00 s'+/dollar/#' 00)
		a < 90(0001 00 00)
		b + dollar-named
		b > 82(0001 s'$named/#' 00 s'$named/+' 00)
		b < 90(0001 00 00)
		s + dollar-sender
		s > 33(s'$named/dollar' 0001 'x')
		s < 40(0001)
		b ? 30(s'$named/dollar' 'x') 30(s'$named/dollar' 'x')
		c + dollar-retained
		c > 82(0001 s'+/dollar' 00)
		c < 90(0001 00)
		c .
		c > 82(0002 s'$named/dollar' 00)
		c < 90(0002 00) 31(s'$named/dollar' 'x')
		c .`, mosquitto: "a message that matches twice comes once"},
	{id: "4.7.2 $ further on is a character like others", script: `
		a + dollar-later
		a > 82(0001 s'later/+' 00)
		a < 90(0001 00)
		a > 30(s'later/$x' '1')
		a < 30(s'later/$x' '1')
		a .`},
	{id: "MQTT-4.7.3-4 topics are case sensitive, and white space counts", script: `
		a + case
		a > 82(0001 s'CASE/a b' 00)
		a < 90(0001 00)
		a > 30(s'case/a b' 'x') 30(s'CASE/A B' 'x') 30(s'CASE/ab' 'x') 30(s'CASE/a b ' 'x') 30(s'CASE/a b' '1')
		a < 30(s'CASE/a b' '1')
		a .`},
	{id: "MQTT-4.7.1-2 MQTT-4.7.1-3 wildcards in the wrong place end the connection", script: `
		a + wrong-place-1
		a > 82(0001 s'sport/tennis#' 00)
		a |
		b + wrong-place-2
		b > 82(0002 s'sport/tennis/#/ranking' 01)
		b |
		c + wrong-place-3
		c > 82(0003 s'right/place' 01 s'sport+' 02)
		c |
		d + wrong-place-4
		d > 82(0004 s'#/' 00)
		d |
		e + wrong-place-5
		e > a2(0005 s'sport/+tennis')
		e |
		f + right-place
		f > 82(0006 s'right/place/#' 00 s'+/right/place' 00 s'+/right/#' 00 s'/right/+/+/#' 00)
		f < 90(0006 00 00 00 00)
		f > a2(0007 s'#' s'+' s'/#' s'+/#')
		f < b0(0007)`},
	{id: "MQTT-3.3.5-1 subscriptions that overlap: a copy for each, each with its QoS", script: `
		a + overlap
		a > 82(0001 s'overlap/#' 00 s'overlap/+' 00 s'overlap/x' 01)
		a < 90(0001 00 00 01)
		s + overlap-sender
		s > 32(s'overlap/x' 0001 'x')
		s < 40(0001)
		a ? 30(s'overlap/x' 'x') 30(s'overlap/x' 'x') 32(s'overlap/x' 0001 'x')
		a > 40(0001)
		a .`, mosquitto: "it sends one"},
	{id: "4.7 empty levels are levels", script: `
		a + empty-levels
		a > 82(0001 s'void/+/end' 00)
		a < 90(0001 00)
		a > 30(s'void//end' '1') 30(s'void/end' 'x') 30(s'void///end' 'x')
		a < 30(s'void//end' '1')
		a .
		b + empty-levels-last
		b > 82(0001 s'last/+/x//' 00 s'last//#' 00)
		b < 90(0001 00 00)
		b > 30(s'last/a/x//' '1') 30(s'last/a/x/' 'x') 30(s'last/a/x' 'x') 30(s'last/b/c' 'x')
		b < 30(s'last/a/x//' '1')
		b > 30(s'last//y' '2') 30(s'last/' '3')
		b < 30(s'last//y' '2') 30(s'last/' '3')
		b .
		c + empty-levels-first
		c > 82(0001 s'//first/#' 00 s'+/+/first/x' 00)
		c < 90(0001 00 00)
		c > 30(s'//first' '1') 30(s'/first' 'x') 30(s'first' 'x') 30(s'//first//' '2') 30(s'a//first/x' '3')
		c < 30(s'//first' '1') 30(s'//first//' '2') 30(s'a//first/x' '3')
		c .
		d + empty-levels-only
		d > 82(0001 s'/////' 00)
		d < 90(0001 00)
		d > 30(s'////' 'x') 30(s'/////' '1') 30(s'//////' 'x')
		d < 30(s'/////' '1')
		d .`},
	{id: "4.7 retained messages match as others do", script: `
		s + kept-matches
		s > 31(s'kept' '0') 31(s'kept/' '1') 31(s'kept//' '2') 31(s'kept//a' '3') 31(s'kept/a' '4') 31(s'kept/a/b' '5') 31(s'/kept/first' '6')
		s .
		a + kept-matches-reader
		a > 82(0001 s'kept/#' 00)
		a < 90(0001 00) 31(s'kept' '0') 31(s'kept/' '1') 31(s'kept//' '2') 31(s'kept//a' '3') 31(s'kept/a' '4') 31(s'kept/a/b' '5')
		a > 82(0002 s'kept/+' 00)
		a < 90(0002 00) 31(s'kept/' '1') 31(s'kept/a' '4')
		a > 82(0003 s'kept/+/+' 00)
		a < 90(0003 00) 31(s'kept//' '2') 31(s'kept//a' '3') 31(s'kept/a/b' '5')
		a > 82(0004 s'kept//#' 00)
		a < 90(0004 00) 31(s'kept/' '1') 31(s'kept//' '2') 31(s'kept//a' '3')
		a > 82(0005 s'/kept/first' 00)
		a < 90(0005 00) 31(s'/kept/first' '6')
		a > 82(0006 s'kept/+/b' 00)
		a < 90(0006 00) 31(s'kept/a/b' '5')
		a .
		s > 31(s'kept') 31(s'kept/') 31(s'kept//') 31(s'kept//a') 31(s'kept/a') 31(s'kept/a/b') 31(s'/kept/first')
		s .`, mosquitto: "it sends them in another order"},
	{id: "4.7.3 deep topics", script: `
		a + deep
		a > 82(0001 s('d/' *200 '#') 00)
		a < 90(0001 00)
		a > 30(s('d/' *200 'x') 'deep')
		a < 30(s('d/' *200 'x') 'deep')
		a .`, mosquitto: "2.0.11 closes at more than 200 levels"},
}

var sessionStatements = []statement{
	{id: "MQTT-3.1.2-4 MQTT-3.1.2-5 a session keeps its subscriptions and its messages of QoS 1 and 2", script: `
		a +p0 session-keeps
		a > 82(0001 s'session/keeps' 02)
		a < 90(0001 02)
		a -
		s + session-keeps-sender
		s > 32(s'session/keeps' 0001 'one') 34(s'session/keeps' 0002 'two')
		s < 40(0001) 50(0002)
		s > 62(0002)
		s < 70(0002)
		a +p1 session-keeps
		a < 32(s'session/keeps' 0001 'one') 34(s'session/keeps' 0002 'two')
		a > 40(0001) 50(0002)
		a < 62(0002)
		a > 70(0002)
		a .
		s > 32(s'session/keeps' 0003 'three')
		s < 40(0003)
		a < 32(s'session/keeps' 0003 'three')
		a > 40(0003)
		a .
		a -
		a +p1 session-keeps
		a .
		a -
		a + session-keeps`},
	{id: "MQTT-3.1.2-6 a clean session keeps nothing", script: `
		a +p0 session-clean
		a > 82(0001 s'session/clean' 01)
		a < 90(0001 01)
		a -
		a + session-clean
		s + session-clean-sender
		s > 32(s'session/clean' 0001 'one')
		s < 40(0001)
		a .
		a > 82(0001 s'session/clean' 01)
		a < 90(0001 01)
		a -
		s > 32(s'session/clean' 0002 'two')
		s < 40(0002)
		a +p0 session-clean
		a .
		s > 32(s'session/clean' 0003 'three')
		s < 40(0003)
		a .`},
	{id: "3.1.2.4 unsubscribing holds for the session", script: `
		a +p0 session-unsubscribe
		a > 82(0001 s'session/unsubscribe' 01)
		a < 90(0001 01)
		a > a2(0002 s'session/unsubscribe')
		a < b0(0002)
		a -
		s + session-unsubscribe-sender
		s > 32(s'session/unsubscribe' 0001 'x')
		s < 40(0001)
		a +p1 session-unsubscribe
		a .`},
	{id: "MQTT-4.4.0-1 a message of QoS 1 that was not acknowledged comes again at once", script: `
		a +p0 again-1
		a > 82(0001 s'again/1' 01)
		a < 90(0001 01)
		s + again-1-sender
		s > 32(s'again/1' 0001 'one') 32(s'again/1' 0002 'two') 32(s'again/1' 0003 'three')
		s < 40(0001) 40(0002) 40(0003)
		a < 32(s'again/1' 0001 'one') 32(s'again/1' 0002 'two') 32(s'again/1' 0003 'three')
		a > 40(0002)
		a .
		a x
		s > 32(s'again/1' 0004 'four')
		s < 40(0004)
		a +p1 again-1
		a < 3a(s'again/1' 0001 'one') 3a(s'again/1' 0003 'three')
		a ~ 32(s'again/1' 0004 'four')
		a > 40(0001) 40(0003) 40(0004)
		a .
		a -
		a +p1 again-1
		a .`},
	{id: "MQTT-4.4.0-1 a message of QoS 2 goes on where it was broken off", script: `
		a +p0 again-2
		a > 82(0001 s'again/2' 02)
		a < 90(0001 02)
		s + again-2-sender
		s > 34(s'again/2' 0001 'x')
		s < 50(0001)
		s > 62(0001)
		s < 70(0001)
		a < 34(s'again/2' 0001 'x')
		a x
		a +p1 again-2
		a < 3c(s'again/2' 0001 'x')
		a > 50(0001)
		a < 62(0001)
		a x
		a +p1 again-2
		a < 62(0001)
		a > 70(0001)
		a .
		a -
		a +p1 again-2
		a .`},
	{id: "MQTT-4.4.0-1 a goodbye acknowledges nothing", script: `
		a +p0 again-goodbye
		a > 82(0001 s'again/goodbye/#' 02)
		a < 90(0001 02)
		a > 32(s'again/goodbye/1' 0002 'one')
		a ? 40(0002) 32(s'again/goodbye/1' 0001 'one')
		a > 34(s'again/goodbye/2' 0003 'two')
		a < 50(0003)
		a > 62(0003)
		a ? 70(0003) 34(s'again/goodbye/2' 0002 'two')
		a -
		a +p1 again-goodbye
		a < 3a(s'again/goodbye/1' 0001 'one') 3c(s'again/goodbye/2' 0002 'two')
		a > 40(0001) 50(0002)
		a < 62(0002)
		a -
		a +p1 again-goodbye
		a < 62(0002)
		a > 70(0002)
		a .`},
	{id: "MQTT-4.4.0-1 a session that is taken over goes on at once", script: `
		a +p0 again-taken
		a > 82(0001 s'again/taken' 02)
		a < 90(0001 02)
		s + again-taken-sender
		s > 32(s'again/taken' 0001 'one') 34(s'again/taken' 0002 'two')
		s < 40(0001) 50(0002)
		s > 62(0002)
		s < 70(0002)
		a < 32(s'again/taken' 0001 'one') 34(s'again/taken' 0002 'two')
		b +p1 again-taken
		a |
		b < 3a(s'again/taken' 0001 'one') 3c(s'again/taken' 0002 'two')
		b > 40(0001) 50(0002)
		b < 62(0002)
		b > 70(0002)
		b .`},
	{id: "MQTT-4.4.0-1 a retained message that was not acknowledged comes again", script: `
		s + again-retained-sender
		s > 33(s'again/retained' 0001 'kept')
		s < 40(0001)
		a +p0 again-retained
		a > 82(0001 s'again/retained' 01)
		a < 90(0001 01) 33(s'again/retained' 0001 'kept')
		a x
		a +p1 again-retained
		a < 3b(s'again/retained' 0001 'kept')
		a > 40(0001)
		a .
		a -
		a +p1 again-retained
		a .`},
	{id: "MQTT-4.3.3-2 a sender goes on where it was broken off", script: `
		w + resume-watcher
		w > 82(0001 s'resume' 00)
		w < 90(0001 00)
		a +p0 resume
		a > 34(s'resume' 0001 'x')
		a < 50(0001)
		a x
		a +p1 resume
		a > 3c(s'resume' 0001 'x')
		a < 50(0001)
		a > 62(0001)
		a < 70(0001)
		a x
		a +p1 resume
		a > 62(0001)
		a < 70(0001)
		a .
		w < 30(s'resume' 'x')
		w .
		a > 34(s'resume' 0001 'y')
		a < 50(0001)
		a x
		a +p1 resume
		a > 62(0001)
		a < 70(0001)
		w < 30(s'resume' 'y')
		w .`},
	{id: "MQTT-3.1.2-6 a clean session forgets what was not acknowledged", script: `
		a +p0 forgets
		a > 82(0001 s'forgets' 02)
		a < 90(0001 02)
		s + forgets-sender
		s > 34(s'forgets' 0001 'x')
		s < 50(0001)
		s > 62(0001)
		s < 70(0001)
		a < 34(s'forgets' 0001 'x')
		a x
		a + forgets
		a .
		a > 82(0001 s'forgets' 02)
		a < 90(0001 02)
		s > 34(s'forgets' 0001 'y')
		s < 50(0001)
		s > 62(0001)
		s < 70(0001)
		a < 34(s'forgets' 0001 'y')
		a .`},
	{id: "MQTT-3.1.2-4 a clean session between two that stay", script: `
		a +p0 flipflop
		a > 82(0001 s'flipflop' 01)
		a < 90(0001 01)
		a x
		a + flipflop
		a > 82(0001 s'flipflop' 01)
		a < 90(0001 01)
		a x
		a +p0 flipflop
		a > 82(0001 s'flipflop' 01)
		a < 90(0001 01)
		s + flipflop-sender
		s > 32(s'flipflop' 0001 'x')
		s < 40(0001)
		a < 32(s'flipflop' 0001 'x')
		a .`},
	{id: "4.3 one identifier for one message after the other", script: `
		w + same-again-watcher
		w > 82(0001 s'same/again/+' 00)
		w < 90(0001 00)
		a +p0 same-again
		a > 34(s'same/again/1' 0001 '1')
		a < 50(0001)
		a > 62(0001)
		a < 70(0001)
		a x
		w < 30(s'same/again/1' '1')
		a +p1 same-again
		a > 34(s'same/nowhere' 0001 '2')
		a < 50(0001)
		a > 62(0001)
		a < 70(0001)
		a x
		w .
		a +p1 same-again
		a > 34(s'same/again/3' 0001 '3')
		a < 50(0001)
		a > 62(0001)
		a < 70(0001)
		w < 30(s'same/again/3' '3')
		w .`},
	{id: "MQTT-4.8.0-1 acknowledgements of the other QoS end the connection", script: `
		s + wrong-ack-sender
		a + wrong-ack-1
		a > 82(0001 s'wrong/ack' 01)
		a < 90(0001 01)
		s > 32(s'wrong/ack' 0001 'x')
		s < 40(0001)
		a < 32(s'wrong/ack' 0001 'x')
		a > 50(0001)
		a |
		b + wrong-ack-2
		b > 82(0001 s'wrong/ack' 02)
		b < 90(0001 02)
		s > 34(s'wrong/ack' 0002 'x')
		s < 50(0002)
		s > 62(0002)
		s < 70(0002)
		b < 34(s'wrong/ack' 0001 'x')
		b > 40(0001)
		b |
		c + wrong-ack-3
		c > 82(0001 s'wrong/ack' 02)
		c < 90(0001 02)
		s > 34(s'wrong/ack' 0003 'x')
		s < 50(0003)
		s > 62(0003)
		s < 70(0003)
		c < 34(s'wrong/ack' 0001 'x')
		c > 70(0001)
		c |`},
	{id: "MQTT-3.3.5-1 a session that is away is given the lower QoS too", script: `
		a +p0 away-lower
		a > 82(0001 s'away/lower' 01)
		a < 90(0001 01)
		a -
		s + away-lower-sender
		s > 34(s'away/lower' 0001 'two')
		s < 50(0001)
		s > 62(0001) 33(s'away/lower' 0002 'kept')
		s < 70(0001) 40(0002)
		a +p1 away-lower
		a < 32(s'away/lower' 0001 'two') 32(s'away/lower' 0002 'kept')
		a > 40(0001) 40(0002)
		a .`},
}
