package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/pack"
	"github.com/flowctl-dev/flowctl/nodes"
)

const packageHelp = `Package an app as AWS Lambda functions, one for each flow. PATH is a flow file, or
a folder whose flow.yaml and *.flow.yaml files are one app; without it, it is the
current folder. The folder --out gets three files:

  APP.zip         the program that runs the flows, and the flow files
  template.yaml   functions, roles, queues, tables and what calls the functions
  manifest.json   the same for other tools

The same app gives the same bytes in every folder and on every machine. Neither
the environment nor .env files are read: settings are parameters of the template,
whose defaults are those of the file or of --set, and secrets are kept in AWS.

The app is checked first, as ` + "`flowctl lint --target lambda`" + ` does; exit code 78 says
that something was found.`

type packageFlags struct {
	out, arch, format, stage, bootstrap string
	flows, set                          []string
}

func newPackageCommand() *cobra.Command {
	f := &packageFlags{}
	cmd := &cobra.Command{
		Use:   "package [PATH]",
		Short: "Package an app for AWS Lambda",
		Long:  packageHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return packageApp(cmd, pathArg(args), f) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.out, "out", "o", "dist", "`FOLDER` to write to")
	choiceFlag(cmd, &f.arch, "arch", "processor of the functions", string(pack.ARM64), string(pack.X86))
	choiceFlag(cmd, &f.format, "format", "language of the template", string(pack.SAM), string(pack.CloudFormation))
	fl.StringArrayVar(&f.flows, "flow", nil, "package only the flow `NAME`; may be given several times")
	fl.StringVar(&f.stage, "stage", "", "`NAME` of the environment, such as prod, for names, tags and the places of secrets")
	fl.StringArrayVar(&f.set, "set", nil, "give a setting another default, as `KEY=VALUE`")
	fl.StringVar(&f.bootstrap, "bootstrap", "", "use the program in this `FILE` to run the flows, built from cmd/bootstrap")
	return cmd
}

// stageName is what names of all services can have in front: stageRoom in
// internal/pack is how long.
var stageName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,9}[a-z0-9]$|^[a-z]$`)

func checkStage(stage string) error {
	if stage != "" && !stageName.MatchString(stage) {
		return usageError{fmt.Errorf("--stage %q: use 1 to 11 small letters, digits and hyphens, beginning with a letter and ending in no hyphen", stage)}
	}
	return nil
}

func packageApp(cmd *cobra.Command, path string, f *packageFlags) error {
	if err := checkStage(f.stage); err != nil {
		return err
	}
	if f.out == "" {
		return usageError{errors.New("--out is empty; give the folder to write to")}
	}
	app, err := f.load(path)
	if err != nil {
		return err
	}
	if found := pack.Lint(app, f.flows...); len(found) > 0 {
		return found
	}
	program, err := pack.Bootstrap(cmd.Context(), pack.Arch(f.arch), f.bootstrap)
	if err != nil {
		return err
	}
	made, err := pack.New(pack.Options{App: app, Flows: f.flows, Arch: pack.Arch(f.arch), Format: pack.Format(f.format),
		Stage: f.stage, Bootstrap: program, Version: currentVersion().Version})
	if err != nil {
		return err
	}
	if err := made.Write(f.out); err != nil {
		return err
	}
	f.report(cmd.OutOrStdout(), made)
	return nil
}

// load reads the app with no other values of settings than the file's and those
// of --set: the template is not to depend on who makes it.
func (f *packageFlags) load(path string) (*flows.App, error) {
	set := appFlags{set: f.set}
	values, err := set.given()
	if err != nil {
		return nil, err
	}
	app, found, err := flows.Load(path, flows.Options{Registry: nodes.All(), Env: func(name string) (string, bool) {
		v, ok := values[name]
		return v, ok
	}})
	if err != nil {
		return nil, usageError{err}
	}
	if len(found) > 0 {
		return nil, found
	}
	if err := set.checkSet(app); err != nil {
		return nil, err
	}
	for _, s := range app.Settings {
		if _, given := values[s.Name]; given && s.Secret {
			return nil, usageError{fmt.Errorf("--set %s: it is a secret, and the template would show it; put it into AWS Systems Manager or AWS Secrets Manager and say where when deploying", s.Name)}
		}
	}
	if _, err := app.Plan(f.flows...); err != nil {
		return nil, usageError{err}
	}
	return app, nil
}

// report says what was written and how to deploy it.
func (f *packageFlags) report(w io.Writer, p *pack.Package) {
	zip := filepath.Join(f.out, p.ZipFile())
	fmt.Fprintf(w, "%s  %s\n", zip, megabytes(len(p.Zip)))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, file := range p.Files {
		fmt.Fprintf(t, "  %s\t%s\n", file.Name, megabytes(len(file.Data)))
	}
	for _, l := range p.LeftOut {
		fmt.Fprintf(t, "  %s\tleft out: %s\n", l.Name, l.Why)
	}
	_ = t.Flush()
	fmt.Fprintf(w, "%s  %s\n", filepath.Join(f.out, pack.TemplateFile), megabytes(len(p.Template)))
	for _, fn := range p.Functions {
		var sources []string
		for _, s := range fn.Sources {
			sources = append(sources, s.Brings)
		}
		fmt.Fprintf(t, "  %s\t%s\t%ds\n", fn.LogicalID, strings.Join(sources, ", "), fn.Timeout)
	}
	_ = t.Flush()
	fmt.Fprintf(w, "%s  %s\n", filepath.Join(f.out, pack.ManifestFile), megabytes(len(p.Manifest)))
	for _, s := range p.Secrets {
		fmt.Fprintf(w, "\nThe secret %s is looked for at %s; the parameter %s takes another place.", s.Setting, s.Default, s.Parameter)
	}
	if len(p.Secrets) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "\nDeploy it with these commands; put a bucket of yours for BUCKET:")
	fmt.Fprintln(w)
	for _, command := range f.commands(p) {
		fmt.Fprintln(w, "  "+command)
	}
}

// commands deploy the package, from the folder that flowctl was called in.
func (f *packageFlags) commands(p *pack.Package) []string {
	template := filepath.Join(f.out, pack.TemplateFile)
	upload := "aws s3 cp " + quoted(filepath.Join(f.out, p.ZipFile())) + " s3://BUCKET/" + p.Key
	if f.format == string(pack.SAM) {
		packaged := filepath.Join(f.out, "packaged.yaml")
		upload = "aws cloudformation package --template-file " + quoted(template) + " --s3-bucket BUCKET --output-template-file " + quoted(packaged)
		template = packaged
	}
	deploy := "aws cloudformation deploy --template-file " + quoted(template) + " --stack-name " + p.Name + " --s3-bucket BUCKET --capabilities CAPABILITY_IAM"
	if len(p.Needed) > 0 {
		deploy += " --parameter-overrides"
		for _, name := range p.Needed {
			value := "VALUE"
			if name == "CodeBucket" {
				value = "BUCKET"
			}
			deploy += " " + name + "=" + value
		}
	}
	return []string{upload, deploy}
}

var needsQuotes = regexp.MustCompile(`[^A-Za-z0-9_./@%+,:-]`)

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if !needsQuotes.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func megabytes(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
