package lambda

// The environment of a packaged function: what the template sets and cmd/bootstrap reads.
const (
	// EnvFlow names the flow that the function runs.
	EnvFlow = "FLOWCTL_FLOW"
	// envResource begins the variables that hold resources' addresses.
	envResource = "FLOWCTL_RESOURCE_"
	// envSecret begins the variables that say where secret settings are kept.
	envSecret = "FLOWCTL_SECRET_"
)

// EnvResource is the variable that holds the address of a resource: a queue's
// URL, a table's name or ARN, a topic's ARN, a bucket's name.
func EnvResource(name string) string { return envResource + name }

// EnvSecret is the variable that says where the value of a secret setting is
// kept: ssm:NAME-OR-ARN of a parameter of AWS Systems Manager, or
// secretsmanager:NAME-OR-ARN of a secret of AWS Secrets Manager, which may end
// in #KEY for one key of a secret that is a JSON object.
func EnvSecret(setting string) string { return envSecret + setting }
