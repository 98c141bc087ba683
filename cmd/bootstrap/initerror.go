package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/redact"
)

// reportLimit bounds the call that tells Lambda of a failed init.
const reportLimit = 2 * time.Second

// reportInit logs why the function cannot start, a line for each mistake in the
// files, and tells Lambda, whose Runtime API is at address.
func reportInit(address string, log *slog.Logger, secrets *redact.Secrets, failure error) {
	kind, message := "Init.Failed", failure.Error()
	if code := engine.CodeOf(failure); code != "error" {
		kind = "Init." + code
	}
	var found flows.Diagnostics
	if errors.As(failure, &found) {
		kind, message = "Init.InvalidFlow", briefly(found)
		for _, d := range found {
			log.Error(d.Error(), "file", d.File, "line", d.Line, "column", d.Column, "code", d.Code, "hint", d.Hint)
		}
	} else {
		for line := range strings.SplitSeq(message, "\n") { // of errors that were joined
			log.Error("the function cannot start", "error", line)
		}
	}
	if err := postInitError(address, kind, secrets.Text(message)); err != nil {
		log.Warn("AWS Lambda could not be told that the init failed", "error", err.Error())
	}
}

// briefly is the mistakes on a few lines.
func briefly(found flows.Diagnostics) string {
	const most = 5
	var lines []string
	for i, d := range found {
		if i == most {
			lines = append(lines, fmt.Sprintf("and %d more; see the log", len(found)-most))
			break
		}
		lines = append(lines, d.Error())
	}
	return strings.Join(lines, "\n")
}

// postInitError is POST runtime/init/error of the Runtime API, which
// aws-lambda-go does not make.
func postInitError(address, kind, message string) error {
	body, err := json.Marshal(map[string]any{"errorType": kind, "errorMessage": message, "stackTrace": []string{}})
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, "http://"+address+"/2018-06-01/runtime/init/error", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Lambda-Runtime-Function-Error-Type", kind)
	// Without a proxy: the API is on the machine itself.
	client := &http.Client{Timeout: reportLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the Runtime API answers %s", response.Status)
	}
	return nil
}

// libraryLog takes what aws-lambda-go writes to the standard log.
type libraryLog struct{ log *slog.Logger }

// Write implements io.Writer.
func (l libraryLog) Write(line []byte) (int, error) {
	// The library repeats every error that it reports; the function has logged
	// it with the request's id.
	if !bytes.HasPrefix(line, []byte(`{"errorMessage":`)) {
		l.log.Warn(strings.TrimSpace(string(line)))
	}
	return len(line), nil
}
