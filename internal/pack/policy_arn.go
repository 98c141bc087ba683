package pack

import (
	"regexp"
	"strings"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// ARN is that of a statement's target for people and for policies outside of a
// template: with the names that the file gives or the template makes up in a
// stage, which may be "", and
// ${AWS::Partition}, ${AWS::Region}, ${AWS::AccountId} and ${AWS::StackName} for
// what is known once the stack is deployed.
func (p *Policy) ARN(app *flows.App, stage string, t Target) string {
	switch t.Kind {
	case OnARN:
		return t.ARN
	case OnLogGroup:
		return arn("logs", "log-group:/aws/lambda/${AWS::StackName}-"+p.Flow+":*")
	case OnFailedEvents:
		return arn("sqs", "${AWS::StackName}-"+p.Flow+failedSuffix)
	case OnSecret:
		return arn("ssm", "parameter"+secretName(app, stage, t.Name))
	case OnResource:
		return resourceARN(resourceOf(app, t.Name), stage) + t.Below
	}
	return "*"
}

func arn(service, thing string) string {
	return "arn:${AWS::Partition}:" + service + ":${AWS::Region}:${AWS::AccountId}:" + thing
}

func resourceARN(r *flows.Resource, stage string) string {
	at := outside(r)
	switch c := r.Config.(type) {
	case *sqs.Queue:
		if there, ok := queueARN(at); ok {
			return there
		}
		return arn("sqs", inStack(c.Name(r.Name), c.QueueName, stage))
	case *dynamodb.Table:
		if strings.HasPrefix(at, "arn:") {
			return at
		}
		if at == "" {
			at = inStack(c.Name(r.Name), c.TableName, stage)
		}
		return arn("dynamodb", "table/"+at)
	}
	service, _, _ := strings.Cut(r.Kind.Type, ".")
	return arn(service, r.Name)
}

// inStack is the name in the account of what the template makes: as the file
// gives it, with the stage in front, else with the stack's.
func inStack(name, given, stage string) string {
	if given != "" {
		return staged(name, stage)
	}
	return "${AWS::StackName}-" + name
}

// partition is the one that a region is in.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// queueARN is the ARN of the queue at a URL; ok is false for a URL that does not
// tell it.
func queueARN(url string) (arn string, ok bool) {
	m := queueURL.FindStringSubmatch(url)
	if m == nil {
		return "", false
	}
	region := m[1] + m[2]
	return "arn:" + partition(region) + ":sqs:" + region + ":" + m[3] + ":" + m[4], true
}

// queueURL is the URL of a queue, from which its ARN can be told: region,
// region in the older form, account, name.
var queueURL = regexp.MustCompile(`^https://(?:sqs(?:-fips)?\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com(?:\.cn)?/([0-9]{12})/([A-Za-z0-9_-]{1,80}(?:\.fifo)?)$`)
