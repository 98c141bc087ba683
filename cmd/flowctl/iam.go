package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/pack"
	"github.com/flowctl-dev/flowctl/nodes"
)

const iamHelp = `Show what the function of each flow may do in the account: the actions, on what, and
the node that needs each. The template of ` + "`flowctl package`" + ` is made of the same.
PATH is a flow file, or a folder whose flow.yaml and *.flow.yaml files are one app;
without one it is the current folder.

REGION, ACCOUNT and STACK are those that the template is deployed to. An address that
reads a setting is shown as the environment gives it, else by the setting's default.
With --output json each flow has a policy document, with ${AWS::Region} and the like
for Fn::Sub of CloudFormation, and the list of the nodes that need its statements.

A secret is shown where the template looks for it unless it is told otherwise; with
--stage, secrets and names are those of a package with the same --stage.
What a function needs to run in a VPC is not shown.`

type iamFlags struct {
	output, stage string
	flows         []string
	tracing       bool
}

func newIAMCommand() *cobra.Command {
	f := &iamFlags{}
	cmd := &cobra.Command{
		Use:   "iam [PATH]",
		Short: "Show what each flow may do in the account",
		Long:  iamHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return iam(cmd, pathArg(args), f) },
	}
	cmd.Flags().StringArrayVar(&f.flows, "flow", nil, "show only the flow `NAME`; may be given several times")
	cmd.Flags().BoolVar(&f.tracing, "tracing", false, "show the permissions of a stack that is deployed with tracing on, too")
	cmd.Flags().StringVar(&f.stage, "stage", "", "show the names of an app that is packaged with --stage `NAME`")
	outputFlag(cmd, &f.output)
	return cmd
}

func iam(cmd *cobra.Command, path string, f *iamFlags) error {
	if err := checkStage(f.stage); err != nil {
		return err
	}
	app, found, err := flows.Load(path, flows.Options{Registry: nodes.All(), Env: os.LookupEnv})
	if err != nil {
		return usageError{err}
	}
	if len(found) > 0 {
		return found
	}
	if _, err := app.Plan(f.flows...); err != nil {
		return usageError{err}
	}
	policies, err := pack.Policies(app)
	if err != nil {
		return err
	}
	policies = slices.DeleteFunc(policies, func(p pack.Policy) bool { return len(f.flows) > 0 && !slices.Contains(f.flows, p.Flow) })
	if f.tracing {
		for i := range policies {
			policies[i].Statements = append(policies[i].Statements, pack.Tracing())
		}
	}
	if f.output == "json" {
		return printPolicyDocuments(cmd.OutOrStdout(), app, f.stage, policies)
	}
	for i := range policies {
		if i > 0 {
			fmt.Fprintln(cmd.OutOrStdout())
		}
		if err := printPolicy(cmd.OutOrStdout(), app, f.stage, &policies[i]); err != nil {
			return err
		}
	}
	return nil
}

// printPolicy prints what a flow may do to what, an action a line with the nodes
// that need it.
func printPolicy(w io.Writer, app *flows.App, stage string, p *pack.Policy) error {
	at := app.Position(p.Flow, "")
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s:%d)\n", p.Flow, at.File, at.Line)
	width := 0
	for _, s := range p.Statements {
		for _, action := range s.Actions {
			width = max(width, len(action))
		}
	}
	for i := range p.Statements {
		s := &p.Statements[i]
		fmt.Fprintf(&b, "  %s\n", readable.Replace(p.ARN(app, stage, s.Target)))
		for _, action := range s.Actions {
			fmt.Fprintf(&b, "    %-*s  %s\n", width, action, needers(s, action))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// readable stands in for what only the account knows.
var readable = strings.NewReplacer("${AWS::Partition}", "aws", "${AWS::Region}", "REGION", "${AWS::AccountId}", "ACCOUNT", "${AWS::StackName}", "STACK")

// needers says who needs an action of a statement.
func needers(s *pack.Statement, action string) string {
	switch s.Target.Kind {
	case pack.OnSecret:
		return "the secret setting " + s.Target.Name
	case pack.OnFailedEvents:
		return "its own queue for failed events"
	case pack.OnLogGroup:
		return "its own log group"
	case pack.OnAll:
		return "tracing; AWS X-Ray has no resources to limit it to"
	}
	var out []string
	for _, n := range s.Nodes {
		if slices.Contains(n.Actions, action) {
			out = append(out, fmt.Sprintf("%s (%s, %s:%d)", n.Node, n.Type, n.At.File, n.At.Line))
		}
	}
	return strings.Join(out, ", ")
}

// policyDocument is a flow's policy as --output json shows it.
type policyDocument struct {
	Flow   string       `json:"flow"`
	Policy document     `json:"policy"`
	Nodes  []neededNode `json:"nodes"`
}

// document is a policy of AWS Identity and Access Management.
type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid, Effect string
	Action      []string
	Resource    string
}

// neededNode says which node needs a statement.
type neededNode struct {
	Sid     string   `json:"sid"`
	Node    string   `json:"node"`
	Type    string   `json:"type"`
	File    string   `json:"file"`
	Line    int      `json:"line"`
	Column  int      `json:"column"`
	Actions []string `json:"actions"`
}

// policyVersion is that of the language that policy documents are written in.
const policyVersion = "2012-10-17"

func printPolicyDocuments(w io.Writer, app *flows.App, stage string, policies []pack.Policy) error {
	out := []policyDocument{}
	for i := range policies {
		p := &policies[i]
		d := policyDocument{Flow: p.Flow, Policy: document{Version: policyVersion}, Nodes: []neededNode{}}
		for _, s := range p.Statements {
			d.Policy.Statement = append(d.Policy.Statement, statement{s.Sid, "Allow", s.Actions, p.ARN(app, stage, s.Target)})
			for _, n := range s.Nodes {
				d.Nodes = append(d.Nodes, neededNode{s.Sid, n.Node, n.Type, n.At.File, n.At.Line, n.At.Column, n.Actions})
			}
		}
		out = append(out, d)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}
