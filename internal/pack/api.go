package pack

import (
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
)

// integrationTimeout is how long an HTTP API waits for a function at most, in
// milliseconds ("Quotas for HTTP APIs").
const integrationTimeout = 30000

// accessLog is a line of an API's access log.
const accessLog = `{"requestId":"$context.requestId","time":"$context.requestTime","ip":"$context.identity.sourceIp","method":"$context.httpMethod","route":"$context.routeKey","status":"$context.status","latency":"$context.responseLatency","integrationLatency":"$context.integrationLatency","error":"$context.integrationErrorMessage"}`

// addAPI adds the HTTP API that all routes of the app are in.
func (t *template) addAPI() {
	if !hasTrigger[engine.RouteTrigger](t) {
		return
	}
	t.parameter(pRate, "Requests a second that the API takes on the average before it answers 429.", Entry{Key: "Type", Value: "Number"}, Entry{Key: "Default", Value: 1000}, Entry{Key: "MinValue", Value: 1})
	t.parameter(pBurst, "Requests that the API takes at once before it answers 429.", Entry{Key: "Type", Value: "Number"}, Entry{Key: "Default", Value: 500}, Entry{Key: "MinValue", Value: 1})
	// API Gateway extends a policy of the account for each other group that it
	// writes to, which is full one day.
	t.resource(idAPILog, "AWS::Logs::LogGroup", Map{
		{Key: "LogGroupName", Value: sub("/aws/vendedlogs/apis/${AWS::StackName}")},
		{Key: "RetentionInDays", Value: ref(pRetention)}, t.tagList(""),
	}, Entry{Key: "DeletionPolicy", Value: "Delete"}, Entry{Key: "UpdateReplacePolicy", Value: "Delete"})
	logs := Entry{Key: "AccessLogSettings", Value: Map{{Key: "DestinationArn", Value: getAtt(idAPILog, "Arn")}, {Key: "Format", Value: accessLog}}}
	limits := Entry{Key: "DefaultRouteSettings", Value: Map{{Key: "ThrottlingBurstLimit", Value: ref(pBurst)}, {Key: "ThrottlingRateLimit", Value: ref(pRate)}}}
	name := Entry{Key: "Name", Value: ref("AWS::StackName")}
	tags := Entry{Key: "Tags", Value: Map(t.tags(""))}
	if t.format == SAM {
		t.resource(idAPI, "AWS::Serverless::HttpApi", Map{name, {Key: "FailOnWarnings", Value: true}, logs, limits, tags})
	} else {
		t.resource(idAPI, "AWS::ApiGatewayV2::Api", Map{name, {Key: "ProtocolType", Value: "HTTP"}, tags})
		t.resource(idAPIDefault, "AWS::ApiGatewayV2::Stage", Map{{Key: "ApiId", Value: ref(idAPI)}, {Key: "StageName", Value: "$default"}, {Key: "AutoDeploy", Value: true}, logs, limits, tags})
	}
	t.alarm("ApiErrorsAlarm", "", "The API answered with a status of 500 or more.", "AWS/ApiGateway", "5xx", "Sum",
		[]any{Map{{Key: "Name", Value: "ApiId"}, {Key: "Value", Value: ref(idAPI)}}}, 0)
	t.output("ApiUrl", "Address of the HTTP API.", getAtt(idAPI, "ApiEndpoint"))
}

// apiRoute is a route of API Gateway: a method or ANY, and a path with {name}
// and {proxy+}.
type apiRoute struct {
	method, path string
	node         *engine.NodePlan
}

// permitted is what of the API's requests the route's permission covers, with *
// for what the path does not fix.
func (r apiRoute) permitted() string {
	method := r.method
	if method == "ANY" {
		method = "*"
	}
	return method + parameterInPath.ReplaceAllString(r.path, "*")
}

// apiRoutes are the routes of a flow. GET takes HEAD too, as flowctl run has it,
// and preflight requests come by the method OPTIONS.
func (t *template) apiRoutes(flow *flows.Flow) []apiRoute {
	var out []apiRoute
	taken := t.taken(flow)
	add := func(n *engine.NodePlan, method, path string) {
		key := method + " " + parameterInPath.ReplaceAllString(path, "{}")
		if owner, ok := taken[key]; ok && owner != n {
			return
		}
		taken[key] = n
		out = append(out, apiRoute{method, t.commonPath(path), n})
	}
	for n, r := range inOrder(flow, triggersOf[engine.RouteTrigger](flow)) {
		path := apiPath(r.Path)
		for _, p := range paths(path) {
			add(n, r.Method, p)
			if r.Method == "GET" {
				add(n, "HEAD", p)
			}
			if r.Preflight && r.Method != "ANY" && r.Method != "OPTIONS" {
				add(n, "OPTIONS", p)
			}
		}
	}
	return out
}

// taken are the routes that the file gives to a source by name, in any of the
// flows, and those of all flows before this one.
func (t *template) taken(flow *flows.Flow) map[string]*engine.NodePlan {
	out := map[string]*engine.NodePlan{}
	for _, f := range t.flows {
		for n, r := range inOrder(f, triggersOf[engine.RouteTrigger](f)) {
			for _, p := range paths(apiPath(r.Path)) {
				out[r.Method+" "+parameterInPath.ReplaceAllString(p, "{}")] = n
			}
		}
	}
	for _, f := range t.flows {
		if f == flow {
			break
		}
		for n, r := range inOrder(f, triggersOf[engine.RouteTrigger](f)) {
			if !r.Preflight || r.Method == "ANY" {
				continue
			}
			for _, p := range paths(apiPath(r.Path)) {
				if key := "OPTIONS " + parameterInPath.ReplaceAllString(p, "{}"); out[key] == nil {
					out[key] = n
				}
			}
		}
	}
	return out
}

// commonPath gives paths that differ only in the names of their parameters one
// form: API Gateway takes one name for a parameter, and the functions take the
// path apart themselves.
func (t *template) commonPath(path string) string {
	shape := parameterInPath.ReplaceAllString(path, "{}")
	for _, f := range t.flows {
		for _, r := range inOrder(f, triggersOf[engine.RouteTrigger](f)) {
			if other := apiPath(r.Path); parameterInPath.ReplaceAllString(other, "{}") == shape {
				return other
			}
		}
	}
	return path
}

// apiPath is a path of net/http.ServeMux as API Gateway writes it. Whatever a
// parameter for all that follows is called, SAM gives API Gateway the permission
// to call the function only if its name is proxy.
func apiPath(path string) string {
	path = strings.TrimSuffix(path, "{$}")
	if at := strings.LastIndex(path, "{"); at >= 0 && strings.HasSuffix(path, "...}") {
		path = strings.ReplaceAll(path[:at], "{proxy}", "{proxy_}") + "{proxy+}"
	}
	return path
}

// paths are the paths of a route. {name...} takes nothing too, which {proxy+}
// does not; for the root that is a route of its own.
func paths(path string) []string {
	if parent, _, ok := strings.Cut(path, "{"); ok && parent == "/" && strings.HasSuffix(path, "+}") {
		return []string{path, "/"}
	}
	return []string{path}
}

// route adds what brings the requests of an http.in source to the function.
func (f *function) route(n *engine.NodePlan, s engine.RouteTrigger) {
	for _, r := range f.apiRoutes(f.flow) {
		if r.node != n {
			continue
		}
		name := camel(n.Name)
		if r.method != s.Method {
			name += camel(strings.ToLower(r.method))
		}
		if r.path == "/" && apiPath(s.Path) != "/" {
			name += "Root"
		}
		if f.format == SAM {
			f.event(name, "HttpApi", Map{{Key: "ApiId", Value: ref(idAPI)}, {Key: "Method", Value: r.method}, {Key: "Path", Value: r.path},
				{Key: "PayloadFormatVersion", Value: "2.0"}, {Key: "TimeoutInMillis", Value: integrationTimeout}})
			continue
		}
		f.resource(f.template.id(f.id+name+"Route"), "AWS::ApiGatewayV2::Route", Map{{Key: "ApiId", Value: ref(idAPI)}, {Key: "RouteKey", Value: r.method + " " + r.path},
			{Key: "Target", Value: sub("integrations/${" + f.integration() + "}")}})
		f.permission(f.id+name+"Permission", "apigateway.amazonaws.com",
			sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${"+idAPI+"}/*/"+r.permitted()))
	}
}

// event adds a source in the form of SAM. The names of nodes are unique, those
// made of them may not be, and SAM puts the function's in front of them for the
// ids of a mapping or a permission.
func (f *function) event(name, kind string, properties Map) {
	if name == "" { // of a node that is called _
		name = "Source"
	}
	name = unique(name, func(name string) bool { return f.ids[f.fn+name] || f.ids[f.fn+name+"Permission"] })
	f.ids[f.fn+name], f.ids[f.fn+name+"Permission"] = true, true
	f.template.events++
	f.events = append(f.events, Entry{Key: name, Value: Map{{Key: "Type", Value: kind}, {Key: "Properties", Value: properties}}})
}

// integration is the one that leads to the function, made when first asked for.
func (f *function) integration() string {
	if f.integrated == "" {
		f.integrated = f.template.id(f.id + "Integration")
		f.resource(f.integrated, "AWS::ApiGatewayV2::Integration", Map{{Key: "ApiId", Value: ref(idAPI)}, {Key: "IntegrationType", Value: "AWS_PROXY"},
			{Key: "IntegrationMethod", Value: "POST"}, {Key: "IntegrationUri", Value: getAtt(f.fn, "Arn")}, {Key: "PayloadFormatVersion", Value: "2.0"}, {Key: "TimeoutInMillis", Value: integrationTimeout}})
	}
	return f.integrated
}
