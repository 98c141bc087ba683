// Command send is the flow send of testdata/bench as one would write it by hand,
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
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

type request struct {
	AreaCode string `json:"areacode"`
	Name     string `json:"name"`
	Seat     string `json:"seat"`
}

var log = slog.New(slog.NewJSONHandler(os.Stderr, nil))

type function struct {
	queues *sqs.Client
	queue  string
}

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Error("the configuration cannot be loaded", "error", err)
		os.Exit(1)
	}
	f := &function{sqs.NewFromConfig(cfg), os.Getenv("FLOWCTL_RESOURCE_passengers")}
	lambda.Start(f.handle)
}

func (f *function) handle(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	began := time.Now()
	if e.RequestContext.HTTP.Method != http.MethodPost || e.RawPath != "/send" {
		return answer(http.StatusNotFound, map[string]string{"error": "no such route"})
	}
	var in request
	if err := json.Unmarshal([]byte(e.Body), &in); err != nil || in.AreaCode == "" || in.Name == "" {
		return answer(http.StatusBadRequest, map[string]string{"error": "the body is not a request"})
	}
	sent, err := f.queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &f.queue, MessageBody: &e.Body})
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	out, err := answer(http.StatusAccepted, map[string]*string{"id": sent.MessageId})
	if c, ok := lambdacontext.FromContext(ctx); ok {
		log.Info("request done", "requestId", c.AwsRequestID, "ms", float64(time.Since(began).Microseconds())/1000, "id", aws.ToString(sent.MessageId))
	}
	return out, err
}

func answer(status int, body any) (events.APIGatewayV2HTTPResponse, error) {
	text, err := json.Marshal(body)
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: map[string]string{"content-type": "application/json"}, Body: string(text)}, err
}
