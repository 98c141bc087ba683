package fault

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, text := range []string{
		"dynamodb.GetItem:throttle=50%,delay=2s",
		"sqs.*:error=0.5%",
		"sqs.ReceiveMessage:drop=10%,drop-reply=90%,duplicate=100%",
		"dynamodb.*:delay=100ms..2s",
		"mqtt.connect:refuse=20%,drop=5%",
		"mqtt.publish:drop-reply=33.3%",
		"mqtt.*:drop=1%,delay=0s..1ms",
	} {
		r, err := Parse(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := r.String(); got != strings.Join(strings.Fields(text), "") {
			t.Errorf("%s became %s", text, got)
		}
	}
	spaced, err := Parse(" sqs.SendMessage : error = 5% , delay = 1m ")
	if err != nil || spaced.DelayMin != time.Minute || spaced.DelayMax != time.Minute || spaced.String() != "sqs.SendMessage:error=5%,delay=1m0s" {
		t.Errorf("%v, %v", spaced, err)
	}
}

func TestParseSaysWhatIsWrongAndWhatThereIs(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                     {"no colon", Example},
		"throttle":                             {"no colon", Example},
		"dynamodb:throttle=50%":                {"names no operation", "dynamodb.*", "GetItem"},
		"dynamo.GetItem:throttle=50%":          {`"dynamo" is no service`, `did you mean "dynamodb"?`, "dynamodb, mqtt, sqs"},
		"dynamodb.GetItm:throttle=50%":         {`"GetItm" is no operation of dynamodb`, `did you mean "GetItem"?`, "TransactGetItems"},
		"sqs.getqueueurl:throttle=50%":         {`did you mean "GetQueueUrl"?`},
		"sqs.SendMessage:":                     {`"" is no fault of sqs.SendMessage`, "throttle, error, drop, drop-reply, delay"},
		"sqs.SendMessage:trottle=5%":           {`did you mean "throttle"?`},
		"sqs.SendMessage:duplicate=5%":         {`"duplicate" is no fault of sqs.SendMessage`},
		"sqs.*:duplicate=5%":                   {`"duplicate" is no fault of sqs.*`},
		"mqtt.publish:refuse=5%":               {`"refuse" is no fault of mqtt.publish`, "drop, delay, drop-reply"},
		"mqtt.connect:throttle=5%":             {`"throttle" is no fault of mqtt.connect`},
		"sqs.SendMessage:error":                {`error: "" is not a share`},
		"sqs.SendMessage:error=5":              {`"5" is not a share`, "50%"},
		"sqs.SendMessage:error=0%":             {"above 0%"},
		"sqs.SendMessage:error=101%":           {"up to 100%"},
		"sqs.SendMessage:error=NaN%":           {"not a share"},
		"sqs.SendMessage:error=5%,error=6%":    {"error is there twice"},
		"sqs.SendMessage:error=60%,drop=50%":   {"add up to 110%"},
		"sqs.SendMessage:delay=2":              {`"2" is not a time`, "200ms"},
		"sqs.SendMessage:delay=2s..1s":         {"end is not before its start"},
		"sqs.SendMessage:delay=-1s":            {"above 0"},
		"sqs.SendMessage:delay=0s":             {"above 0"},
		"sqs.SendMessage:delay=61m":            {"longer than the 1h0m0s"},
		"sqs.SendMessage:error=5%,":            {`"" is no fault`},
		"flowctl.PeekMessages:error=5%":        {`"flowctl" is no service`},
		"sqs.SendMessage:delay=100ms..2s..10s": {"not a time"},
	} {
		_, err := Parse(text)
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		for _, part := range append(want, text) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v\ndoes not say %q", text, err, part)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("dynamodb.GetItem:throttle=50%,delay=2s")
	f.Add("sqs.ReceiveMessage:duplicate=1e-3%,delay=1ms..2h")
	f.Add("mqtt.*:drop=100%")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(r.String())
		if err != nil || again.String() != r.String() || again.hash() != r.hash() {
			t.Fatalf("%q is read as %q, and that as %q (%v)", text, r, again, err)
		}
		for n := range uint64(20) {
			w := draw{1, r.hash(), n}
			if d := r.delayOf(w); d < r.DelayMin || d > r.DelayMax {
				t.Fatalf("%s: delay %s", r, d)
			}
			if k := r.kindOf(w); k == None && total(r) >= 100 {
				t.Fatalf("%s: an operation got away", r)
			}
		}
	})
}

func total(r Rule) (sum float64) {
	for _, s := range r.Shares {
		sum += s.Percent
	}
	return sum
}
