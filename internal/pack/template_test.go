package pack_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/flowctl-dev/flowctl/internal/pack"
)

var updateTemplates = flag.Bool("update-templates", false, "write the golden templates anew")

func TestTemplatesOfTheTaxi(t *testing.T) {
	for _, format := range []pack.Format{pack.SAM, pack.CloudFormation} {
		p := packaged(t, options(loaded(t, "../../examples/taxi"), format))
		// The zip holds the head of a program only, and so do the key of it.
		golden := filepath.Join("testdata", "templates", "taxi."+string(format)+".yaml")
		if *updateTemplates {
			if err := os.WriteFile(golden, p.Template, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatalf("%v; run the test with -update-templates and read what it writes", err)
		}
		if !bytes.Equal(p.Template, want) {
			t.Errorf("the %s template is not the one of %s; run the test with -update-templates and read what changed", format, golden)
		}
	}
}

// node finds a value in a template by the keys that lead to it.
func node(t *testing.T, n *yaml.Node, keys ...string) *yaml.Node {
	t.Helper()
	if n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	for _, key := range keys {
		var found *yaml.Node
		for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				found = n.Content[i+1]
			}
		}
		if found == nil {
			t.Fatalf("there is no %s in %s", key, strings.Join(keys, "."))
		}
		n = found
	}
	return n
}

func text(t *testing.T, n *yaml.Node) string {
	t.Helper()
	out, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestTaxiMayDoNoMoreThanItsNodesNeed holds the roles of the example to the
// word: the API's function sends to one queue; the worker receives from it,
// deletes, changes visibility and reads its attributes, and gets items of one
// table; each writes its own log group. That is all there is.
func TestTaxiMayDoNoMoreThanItsNodesNeed(t *testing.T) {
	want := map[string]string{
		"RequestRole": `- PolicyName: request
  PolicyDocument:
    Version: '2012-10-17'
    Statement:
        # for enqueue
        - Sid: QueuePassengers
          Effect: Allow
          Action: [sqs:SendMessage]
          Resource: !GetAtt PassengersQueue.Arn
        - Sid: Logs
          Effect: Allow
          Action: [logs:CreateLogStream, logs:PutLogEvents]
          Resource: !GetAtt RequestLog.Arn
`,
		"DispatchRole": `- PolicyName: dispatch
  PolicyDocument:
    Version: '2012-10-17'
    Statement:
        # for requests
        - Sid: QueuePassengers
          Effect: Allow
          Action: [sqs:ChangeMessageVisibility, sqs:DeleteMessage, sqs:GetQueueAttributes, sqs:ReceiveMessage]
          Resource: !GetAtt PassengersQueue.Arn
        # for driver
        - Sid: TableDrivers
          Effect: Allow
          Action: [dynamodb:GetItem]
          Resource: !GetAtt DriversTable.Arn
        - Sid: Logs
          Effect: Allow
          Action: [logs:CreateLogStream, logs:PutLogEvents]
          Resource: !GetAtt DispatchLog.Arn
`,
	}
	for _, format := range []pack.Format{pack.SAM, pack.CloudFormation} {
		p := packaged(t, options(loaded(t, "../../examples/taxi"), format))
		var template yaml.Node
		if err := yaml.Unmarshal(p.Template, &template); err != nil {
			t.Fatal(err)
		}
		resources := node(t, &template, "Resources")
		for i := 0; i < len(resources.Content); i += 2 {
			name, kind := resources.Content[i].Value, node(t, resources.Content[i+1], "Type").Value
			switch {
			case kind == "AWS::IAM::Role":
				var policies yaml.Node
				if err := yaml.Unmarshal([]byte(want[name]), &policies); err != nil {
					t.Fatal(err)
				}
				if got, want := text(t, node(t, resources.Content[i+1], "Properties", "Policies")), text(t, &policies); got != want {
					t.Errorf("%s: %s may do\n%s\nwant\n%s", format, name, got, want)
				}
				if all := text(t, resources.Content[i+1]); strings.Contains(all, "*") {
					t.Errorf("%s: %s holds a *:\n%s", format, name, all)
				}
				// What is added where somebody switches tracing or a VPC on, and only then.
				for n, condition := range []string{"Traced", "InVpc"} {
					given := node(t, resources.Content[i+1], "Properties", "ManagedPolicyArns").Content[n]
					if given.Tag != "!If" || given.Content[0].Value != condition || given.Content[2].Value != "AWS::NoValue" {
						t.Errorf("%s: %s has %s", format, name, text(t, given))
					}
				}
			case strings.HasPrefix(kind, "AWS::IAM::"):
				t.Errorf("%s: there is a %s beside the roles", format, kind)
			case strings.HasSuffix(kind, "::Function"):
				role := node(t, resources.Content[i+1], "Properties", "Role")
				if want := strings.TrimSuffix(name, "Function") + "Role.Arn"; role.Value != want {
					t.Errorf("%s: %s has the role %s, want %s", format, name, role.Value, want)
				}
				if slicesHave(resources.Content[i+1], "Policies") {
					t.Errorf("%s: %s has policies beside its role", format, name)
				}
			}
		}
	}
}

func slicesHave(n *yaml.Node, key string) bool {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Value == key || slicesHave(c, key) {
			return true
		}
	}
	return false
}

// tool finds a program that tests use if it is there.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed; `pip install cfn-lint aws-sam-translator` brings it", name)
	}
	return path
}

// apps are all folders that templates are tried with.
func apps(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../../examples/*", "testdata/apps/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		all = append(all, found...)
	}
	return all
}

// templates writes the templates of an app in both formats.
func templates(t *testing.T, folder, stage string) map[pack.Format]string {
	t.Helper()
	out := map[pack.Format]string{}
	for _, format := range []pack.Format{pack.SAM, pack.CloudFormation} {
		o := options(loaded(t, folder), format)
		o.Stage = stage
		if stage != "" {
			o.Arch, o.Bootstrap = pack.X86, headOfProgram(elf.EM_X86_64)
		}
		p, dir := packaged(t, o), t.TempDir()
		if err := p.Write(dir); err != nil {
			t.Fatal(err)
		}
		out[format] = filepath.Join(dir, pack.TemplateFile)
	}
	return out
}

// Names of the file that differ may give one name in a template, and SAM puts
// the id of a function before the names of its events.
func TestNoNameOfATemplateIsThereTwice(t *testing.T) {
	for _, folder := range apps(t) {
		for format, path := range templates(t, folder, "") {
			var template struct {
				Parameters map[string]map[string]any `yaml:"Parameters"`
				Outputs    map[string]any            `yaml:"Outputs"`
				Resources  map[string]struct {
					Properties struct {
						Events map[string]any `yaml:"Events"`
					} `yaml:"Properties"`
				} `yaml:"Resources"`
			}
			// The decoder refuses a key that is there twice.
			if err := yaml.Unmarshal([]byte(readFile(t, path)), &template); err != nil {
				t.Errorf("%s, %s: %v", folder, format, err)
			}
			for id, r := range template.Resources {
				for event := range r.Properties.Events {
					for _, made := range []string{id + event, id + event + "Permission"} {
						if _, there := template.Resources[made]; there || event == "" {
							t.Errorf("%s: SAM makes %s of the event %q of %s, which is there", folder, made, event, id)
						}
					}
				}
			}
		}
	}
}

func TestFiltersOfABucketAreEncodedAsItsEventsAre(t *testing.T) {
	for format, path := range templates(t, "testdata/apps/everything", "") {
		text := readFile(t, path)
		for _, want := range []string{"in/year%3D2026/to+do/", "%7E%281%29.jpg"} {
			if !strings.Contains(text, "Value: '"+want+"'\n") {
				t.Errorf("%s: no filter says %s", format, want)
			}
		}
	}
	if outputs := readFile(t, templates(t, "testdata/apps/odd", "")[pack.SAM]); !strings.Contains(outputs, "with the prefix kind%3Dfilm%2C+new/.") {
		t.Error("the owner of a bucket is not told the prefix as S3 takes it")
	}
}

func TestLinterOfCloudFormationFindsNothing(t *testing.T) {
	lint := tool(t, "cfn-lint")
	args := []string{"--regions", "eu-west-1", "us-east-1", "--"}
	for _, folder := range apps(t) {
		stage := ""
		if strings.HasPrefix(folder, "testdata") {
			stage = "test"
		}
		for _, path := range templates(t, folder, stage) {
			args = append(args, path)
		}
	}
	if out, err := exec.CommandContext(t.Context(), lint, args...).CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestBothFormsOfATemplateSayTheSame(t *testing.T) {
	python := tool(t, "python3")
	if out, err := exec.Command(python, "-c", "import samtranslator").CombinedOutput(); err != nil {
		t.Skipf("samtranslator cannot be imported; `pip install aws-sam-translator` brings it: %s", out)
	}
	for _, folder := range apps(t) {
		both := templates(t, folder, "")
		out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "compare.py"), both[pack.SAM], both[pack.CloudFormation]).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "resources and") {
			t.Errorf("%s: %v\n%s", folder, err, out)
		}
	}
}

// TestDeployedTemplateSaysExactlyWhatIsMeant has every function of CloudFormation
// in the template evaluated, with parameters other than the defaults.
func TestDeployedTemplateSaysExactlyWhatIsMeant(t *testing.T) {
	python := tool(t, "python3")
	if out, err := exec.Command(python, "-c", "import boto3, moto").CombinedOutput(); err != nil {
		t.Skipf("moto cannot be imported; `pip install 'moto[all]'` brings it: %s", out)
	}
	p, dir := packaged(t, options(loaded(t, "testdata/apps/everything"), pack.CloudFormation)), t.TempDir()
	if err := p.Write(dir); err != nil {
		t.Fatal(err)
	}
	deploy := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "deploy.py"), filepath.Join(dir, pack.TemplateFile), filepath.Join(dir, p.ZipFile()), p.Name,
		"RegionCode=x", "BrokerUrl=mqtts://broker.example.com", "ApiKeySecret=secretsmanager:vault/key#api", "Customers=arn:aws:dynamodb:us-east-1:210987654321:table/customers",
		"AuditUrl=https://sqs.us-east-2.amazonaws.com/210987654321/audit.fifo")
	var wrong bytes.Buffer
	deploy.Stderr = &wrong
	got, err := deploy.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, wrong.Bytes())
	}
	golden := filepath.Join("testdata", "templates", "everything.deployed.json")
	if *updateTemplates {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := readFile(t, golden); string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSecretsAreLookedForWhereSystemsManagerKeepsParameters(t *testing.T) {
	const reads = `version: 1
name: NAME
env: {TOKEN: {secret: true}}
flows:
  read:
    nodes:
      in: {type: invoke.in, next: answer}
      answer: {type: invoke.reply, value: "${{ len(env.TOKEN) }}"}
`
	for name, want := range map[string]string{
		"taxi":      "ssm:/taxi/test/TOKEN",
		"Taxi fare": "ssm:/Taxi-fare/test/TOKEN",
		"awsome":    "ssm:/app-awsome/test/TOKEN",
		"SSM":       "ssm:/app-SSM/test/TOKEN",
		"my-aws":    "ssm:/my-aws/test/TOKEN",
	} {
		app := loaded(t, folder(t, map[string]string{"flow.yaml": strings.Replace(reads, "NAME", name, 1)}))
		o := options(app, pack.SAM)
		o.Stage = "test"
		if got := packaged(t, o).Secrets[0].Default; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		policies, err := pack.Policies(app)
		if err != nil {
			t.Fatal(err)
		}
		secret := policies[0].Statements[0].Target
		if got := policies[0].ARN(app, "test", secret); !strings.HasSuffix(got, ":parameter"+strings.TrimPrefix(want, "ssm:")) {
			t.Errorf("%s: the policy names %s, the template %s", name, got, want)
		}
	}
}

// Under flowctl run they are the same queue, as they have the same name.
func TestDeadLettersGoToTheQueueOfTheAppThatIsNamed(t *testing.T) {
	app := loaded(t, folder(t, map[string]string{"flow.yaml": `version: 1
name: shop
resources:
  orders: {type: sqs.queue, dead_letter: {after: 2, queue: morgue}}
  bills: {type: sqs.queue, fifo: true, dead_letter: {queue: sorted}}
  morgue: {type: sqs.queue, dead_letter: {off: true}}
  later: {type: sqs.queue, name: sorted, fifo: true}
flows:
  ship:
    nodes:
      orders: {type: sqs.in, queue: orders, next: end}
      bills: {type: sqs.in, queue: bills, next: end}
      end: {type: drop}
  mourn:
    nodes:
      lost: {type: sqs.in, queue: morgue, next: end}
      end: {type: drop}
`}))
	for _, only := range [][]string{nil, {"ship"}} {
		o := options(app, pack.SAM)
		o.Flows = only
		var template struct {
			Resources yaml.Node `yaml:"Resources"`
		}
		if err := yaml.Unmarshal(packaged(t, o).Template, &template); err != nil {
			t.Fatal(err)
		}
		for queue, want := range map[string]string{"OrdersQueue": "MorgueQueue.Arn", "BillsQueue": "LaterQueue.Arn", "LaterQueue": "LaterDeadLetterQueue.Arn"} {
			if to := node(t, &template.Resources, queue, "Properties", "RedrivePolicy", "deadLetterTargetArn"); to.Tag != "!GetAtt" || to.Value != want {
				t.Errorf("%v: dead letters of %s go to %s %s, want %s", only, queue, to.Tag, to.Value, want)
			}
		}
		var names []string
		for i := 0; i < len(template.Resources.Content); i += 2 {
			if node(t, template.Resources.Content[i+1], "Type").Value == "AWS::SQS::Queue" {
				names = append(names, template.Resources.Content[i].Value)
			}
		}
		if want := []string{"OrdersQueue", "BillsQueue", "MorgueQueue", "LaterQueue", "LaterDeadLetterQueue"}; !slices.Equal(names, want) {
			t.Errorf("%v: the queues are %v, want %v", only, names, want)
		}
	}
}

func TestConcurrencyHoldsForAllCallsTogether(t *testing.T) {
	const limited = `version: 1
name: limited
resources:
  jobs: {type: sqs.queue}
  more: {type: sqs.queue}
flows:
  work:
    CONCURRENCY
    nodes:
      in: {type: sqs.in, queue: jobs, SOURCE, next: end}
      OTHER
      end: {type: drop}
`
	const other = "other: {type: sqs.in, queue: more, next: end}"
	for _, c := range []struct {
		concurrency, source, other string
		batch, calls, reserved     int // 0 for any number
	}{
		{"concurrency: 1", "batch: 10", "", 1, 2, 1},
		{"concurrency: 2", "batch: 10", "", 1, 2, 0},
		{"concurrency: 5", "batch: 10", "", 2, 2, 0},
		{"concurrency: 20", "batch: 10", "", 10, 2, 0},
		{"concurrency: 20", "batch: 2", "", 2, 10, 0},
		{"concurrency: 20", "batch: 10", other, 5, 2, 0},
		{"concurrency: 1", "batch: 10", other, 1, 2, 1},
		{"concurrency: 3", "batch: 10", other, 1, 2, 3},
		{"concurrency: 4", "batch: 10", other, 1, 2, 0},
		{"concurrency: 20000", "batch: 10", "", 10, 0, 0},
		{"doc: As many as come.", "batch: 10", "", 10, 0, 0},
		{"doc: As many as come.", "max_in_flight: 3", "", 3, 0, 0},
	} {
		app := loaded(t, folder(t, map[string]string{"flow.yaml": strings.NewReplacer("CONCURRENCY", c.concurrency, "SOURCE", c.source, "OTHER", c.other).Replace(limited)}))
		var template struct {
			Resources map[string]struct {
				Properties yaml.Node `yaml:"Properties"`
			} `yaml:"Resources"`
		}
		if err := yaml.Unmarshal(packaged(t, options(app, pack.CloudFormation)).Template, &template); err != nil {
			t.Fatal(err)
		}
		var mapping struct {
			BatchSize     int `yaml:"BatchSize"`
			ScalingConfig struct {
				MaximumConcurrency int `yaml:"MaximumConcurrency"`
			} `yaml:"ScalingConfig"`
		}
		var function struct {
			Reserved int `yaml:"ReservedConcurrentExecutions"`
		}
		in, fn := template.Resources["WorkInMapping"].Properties, template.Resources["WorkFunction"].Properties
		if err := errors.Join(in.Decode(&mapping), fn.Decode(&function)); err != nil {
			t.Fatal(err)
		}
		if mapping.BatchSize != c.batch || mapping.ScalingConfig.MaximumConcurrency != c.calls || function.Reserved != c.reserved {
			t.Errorf("%s, %s %s: %d messages in each of %d calls, %d reserved", c.concurrency, c.source, c.other, mapping.BatchSize, mapping.ScalingConfig.MaximumConcurrency, function.Reserved)
		}
	}
}

// A flow may have several schedules: each call says which one it is of.
func TestScheduleTellsTheFunctionWhichSourceItIsFor(t *testing.T) {
	for _, path := range templates(t, "testdata/apps/everything", "") {
		var template yaml.Node
		if err := yaml.Unmarshal([]byte(readFile(t, path)), &template); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]string{"ClockNightlySchedule": `"node":"nightly"`, "ClockOftenSchedule": `"node":"often"`} {
			if input := node(t, &template, "Resources", id, "Properties", "Target", "Input").Value; !strings.Contains(input, want) {
				t.Errorf("%s calls with %s; want %s in it", id, input, want)
			}
		}
	}
}
