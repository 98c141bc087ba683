package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/awsclient/account"
)

const (
	defaultEndpoint = "http://127.0.0.1:4566"
	endpointEnv     = "FLOWCTL_AWS_ENDPOINT"
)

// serviceTarget says whose queues and tables a command works on, and how it
// prints: the flags that all queue and table commands have.
type serviceTarget struct {
	endpoint string
	account  bool
	output   string
}

func (s *serviceTarget) register(cmd *cobra.Command) {
	fl := cmd.PersistentFlags()
	fl.StringVar(&s.endpoint, "endpoint", "", "`URL` of the running stand-ins (default $"+endpointEnv+", else "+defaultEndpoint+")")
	fl.BoolVar(&s.account, "aws", false, "work on the real AWS account, with the credentials and the region that the aws command uses")
	choiceFlagIn(fl, cmd, &s.output, "output", "how to print", "text", "json")
}

// url is the endpoint of the stand-ins, "" for the account.
func (s *serviceTarget) url() string {
	e := s.endpoint
	switch {
	case s.account:
		return ""
	case e == "" && os.Getenv(endpointEnv) != "":
		e = os.Getenv(endpointEnv)
	case e == "":
		e = defaultEndpoint
	}
	if !strings.Contains(e, "://") {
		e = "http://" + e
	}
	return strings.TrimSuffix(e, "/")
}

// json tells whether to print JSON.
func (s *serviceTarget) json() bool { return s.output == "json" }

// withClients runs work with the clients of the target and explains its error.
func (s *serviceTarget) withClients(ctx context.Context, work func(*awsclient.Clients) error) error {
	if s.account && s.endpoint != "" {
		return usageError{errors.New("--aws is for the real account and --endpoint for stand-ins; give one of them")}
	}
	clients := awsclient.New(awsclient.Options{LocalEndpoint: s.url(), LoadConfig: account.Load})
	defer clients.CloseIdle()
	return s.explain(work(clients))
}

// explain adds what to do to the errors that have a usual cause.
func (s *serviceTarget) explain(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) && !s.account {
		return fmt.Errorf("nothing listens at %s; start `flowctl run` or `flowctl local` in another terminal, name another address with --endpoint or $%s, or use the real account with --aws", s.url(), endpointEnv)
	}
	return err
}

// jsonLine prints v on a line of its own.
func jsonLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// columns prints rows below a heading, aligned.
func columns(w io.Writer, heading []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{heading}, rows...) {
		fmt.Fprintln(t, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return t.Flush()
}

// there lists what there is, for the error of a name that is not.
func there(what string, names []string) string {
	if len(names) == 0 {
		return "there are no " + what
	}
	const most = 20
	if len(names) > most {
		return fmt.Sprintf("there are %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return "there are " + strings.Join(names, ", ")
}
