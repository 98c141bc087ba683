package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// request is the program `request METHOD URL [BODY [NAME:VALUE...]]`, the last
// ones being headers. It prints the status and the body, and fails when there is
// no answer.
func request(args []string) int {
	if len(args) < 2 {
		return complain("usage: request METHOD URL [BODY [NAME:VALUE...]]")
	}
	args = append(args, make([]string, max(0, 3-len(args)))...)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, args[0], args[1], strings.NewReader(args[2]))
	if err != nil {
		return complain("%v", err)
	}
	for _, header := range args[3:] {
		name, text, _ := strings.Cut(header, ":")
		req.Header.Set(name, text)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return complain("%v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return complain("%v", err)
	}
	fmt.Printf("%s\n%s\n", resp.Status, body)
	return 0
}

func complain(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	return 1
}

// await is the program `await PROGRAM ARGS...`. It runs the program again and
// again until it succeeds.
func await(args []string) int {
	if len(args) == 0 {
		return complain("usage: await PROGRAM ARGS...")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		if err == nil {
			_, _ = os.Stdout.Write(out)
			return 0
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return complain("%s never succeeded: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// depth is the program `depth QUEUE WANT`. It succeeds if the queue at
// $AWS_ENDPOINT_URL holds so many messages, those in flight included.
func depth(args []string) int {
	if len(args) != 2 {
		return complain("usage: depth QUEUE WANT")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	client := sqs.New(sqs.Options{BaseEndpoint: aws.String(endpoint), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	out, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(endpoint + "/000000000000/" + args[0]), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	if err != nil {
		return complain("%v", err)
	}
	total := 0
	for _, name := range []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible, types.QueueAttributeNameApproximateNumberOfMessagesDelayed} {
		n := 0
		if _, err := fmt.Sscan(out.Attributes[string(name)], &n); err != nil {
			return complain("%s of %s: %v", name, args[0], err)
		}
		total += n
	}
	if fmt.Sprint(total) != args[1] {
		return complain("%s holds %d messages, not %s", args[0], total, args[1])
	}
	return 0
}
