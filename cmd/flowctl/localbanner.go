package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/flowctl-dev/flowctl/internal/local"
)

// localBanner is what `flowctl local` shows first: where everything is, and
// lines to paste.
type localBanner struct {
	w     io.Writer
	local *local.Local
	flags *localFlags
}

func (b localBanner) print() {
	fmt.Fprintf(b.w, "\nflowctl %s is running stand-ins\n\n", currentVersion().Version)
	t := tabwriter.NewWriter(b.w, 0, 0, 2, ' ', 0)
	for _, row := range b.rows() {
		fmt.Fprintf(t, "  %s\n", strings.Join(row, "\t"))
	}
	t.Flush()
	fmt.Fprint(b.w, "\nTry, from another terminal:\n\n")
	for _, l := range b.tries() {
		fmt.Fprintf(b.w, "  %s\n", l)
	}
	fmt.Fprint(b.w, "\nCtrl-C stops.\n\n")
}

func (b localBanner) rows() (rows [][]string) {
	if b.flags.sqs {
		rows = append(rows, []string{"sqs", b.local.AWSEndpoint()})
	}
	if b.flags.dynamodb {
		rows = append(rows, []string{"dynamodb", b.local.AWSEndpoint()})
	}
	if b.flags.mqtt {
		rows = append(rows, []string{"mqtt", b.brokerURL()})
	}
	if a := b.local.WebSocketAddr(); a != "" {
		rows = append(rows, []string{"mqtt", b.scheme("ws") + "://" + a})
	}
	note := "kept; --fresh drops it"
	if b.flags.durability == "relaxed" {
		note = "kept, but a power cut may lose the last second; --fresh drops it"
	}
	return append(rows, []string{"data", b.flags.data, note})
}

// scheme is that of a URL of the broker, with an s behind it for TLS.
func (b localBanner) scheme(plain string) string {
	if b.flags.cert != "" {
		return plain + "s"
	}
	return plain
}

// brokerURL is "" when the broker does not run.
func (b localBanner) brokerURL() string {
	if b.local.MQTTAddr() == "" {
		return ""
	}
	return b.scheme("mqtt") + "://" + b.local.MQTTAddr()
}

// awsCommand names the endpoint once more: version 1 of the aws command takes
// AWS_ENDPOINT_URL for all services but SQS.
const awsCommand = "aws --endpoint-url $AWS_ENDPOINT_URL"

// tries are commands to paste.
func (b localBanner) tries() (lines []string) {
	if e := b.local.AWSEndpoint(); e != "" {
		lines = append(lines, "export "+strings.Join(standInEnv(e, ""), " "))
	}
	if b.flags.sqs {
		lines = append(lines, awsCommand+" sqs create-queue --queue-name orders", self(os.Args[0])+" queue ls")
	}
	if b.flags.dynamodb {
		lines = append(lines, awsCommand+" dynamodb create-table --table-name drivers --billing-mode PAY_PER_REQUEST"+
			" --attribute-definitions AttributeName=id,AttributeType=S --key-schema AttributeName=id,KeyType=HASH", self(os.Args[0])+" table ls")
	}
	if b.flags.mqtt {
		lines = append(lines, b.subscribe())
	}
	return lines
}

func (b localBanner) subscribe() string {
	line := self(os.Args[0]) + " mqtt sub"
	if url := b.brokerURL(); url != defaultBroker {
		line += " --url " + url
	}
	if b.flags.user != "" {
		line = passwordEnv + "=\"$" + b.flags.passwordEnv + "\" " + line + " --username " + b.flags.user
	}
	if b.flags.cert != "" {
		line += " --ca " + b.flags.cert
	}
	return line + " '#'"
}
