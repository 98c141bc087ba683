// Command api is the flow api of testdata/bench as one would write it by hand,
// to measure the flow against.
package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type request struct {
	AreaCode    string `json:"areacode"`
	Name        string `json:"name"`
	Seat        string `json:"seat"`
	VehicleType string `json:"vehicle_type"`
}

type ride struct {
	Ride      string `json:"ride"`
	Passenger string `json:"passenger"`
	Pickup    string `json:"pickup"`
}

var log = slog.New(slog.NewJSONHandler(os.Stderr, nil))

func main() { lambda.Start(handle) }

func handle(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	began := time.Now()
	if e.RequestContext.HTTP.Method != http.MethodPost || e.RawPath != "/api" {
		return answer(http.StatusNotFound, map[string]string{"error": "no such route"})
	}
	var in request
	if err := json.Unmarshal([]byte(e.Body), &in); err != nil || in.AreaCode == "" || in.Name == "" {
		return answer(http.StatusBadRequest, map[string]string{"error": "the body is not a request"})
	}
	var kind string
	switch in.VehicleType {
	case "sedan":
		kind = "economy"
	case "suv":
		kind = "family"
	case "van":
		kind = "group"
	default:
		return answer(http.StatusBadRequest, map[string]string{"error": "unknown vehicle"})
	}
	out, err := answer(http.StatusOK, ride{kind, in.Name, in.AreaCode + "/" + in.Seat})
	if c, ok := lambdacontext.FromContext(ctx); ok {
		log.Info("request done", "requestId", c.AwsRequestID, "ms", float64(time.Since(began).Microseconds())/1000, "status", out.StatusCode)
	}
	return out, err
}

func answer(status int, body any) (events.APIGatewayV2HTTPResponse, error) {
	text, err := json.Marshal(body)
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: map[string]string{"content-type": "application/json"}, Body: string(text)}, err
}
