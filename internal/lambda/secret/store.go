package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// Store fetches values with the credentials and connections of the process. It
// keeps none. It is safe for concurrent use.
type Store struct {
	clients *awsclient.Clients
	getenv  func(string) string
}

// New opens nothing. getenv gives the environment, whose
// AWS_ENDPOINT_URL_SSM and AWS_ENDPOINT_URL_SECRETS_MANAGER are obeyed.
func New(clients *awsclient.Clients, getenv func(string) string) *Store {
	return &Store{clients, getenv}
}

// Fetch gets the values that the references name, all at once; the keys of
// references and of values are the settings. The error tells of every setting
// whose value is not to be had, where it was looked for and why.
func (s *Store) Fetch(ctx context.Context, references map[string]string) (values map[string]string, err error) {
	if len(references) == 0 {
		return nil, nil
	}
	client, err := awsclient.Shared(s.clients, ctx, false, func(cfg aws.Config) *client { return newClient(cfg, s.getenv) })
	if err != nil {
		return nil, err
	}
	f := &fetch{client: client, ctx: ctx, kept: map[Reference]*kept{}}
	settings := slices.Sorted(maps.Keys(references))
	texts, errs := make([]string, len(settings)), make([]error, len(settings))
	var wg sync.WaitGroup
	for i, setting := range settings {
		wg.Go(func() {
			if texts[i], errs[i] = f.value(references[setting]); errs[i] != nil {
				errs[i] = fmt.Errorf("the secret setting %s: %w", setting, errs[i])
			}
		})
	}
	wg.Wait()
	values = map[string]string{}
	for i, setting := range settings {
		values[setting] = texts[i]
	}
	return values, errors.Join(errs...)
}

// fetch is one Fetch: what several settings refer to is asked for once.
type fetch struct {
	client *client
	ctx    context.Context

	mu   sync.Mutex
	kept map[Reference]*kept
}

// kept is the value under a name.
type kept struct {
	once sync.Once
	text string
	err  error
}

func (f *fetch) value(text string) (string, error) {
	r, err := Parse(text)
	if err != nil {
		return "", err
	}
	whole := r
	whole.Key = ""
	f.mu.Lock()
	k := f.kept[whole]
	if k == nil {
		k = &kept{}
		f.kept[whole] = k
	}
	f.mu.Unlock()
	k.once.Do(func() { k.text, k.err = f.client.get(f.ctx, whole) })
	if k.err != nil || r.Key == "" {
		return k.text, k.err
	}
	return member(r, k.text)
}

// member takes a key of a secret that is a JSON object. Its errors tell nothing
// of the secret.
func member(r Reference, text string) (string, error) {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &object) != nil {
		return "", fmt.Errorf("the secret %s in AWS Secrets Manager is no JSON object, so that it has no key %q; leave out #%s, or store an object", r.Name, r.Key, r.Key)
	}
	raw, ok := object[r.Key]
	if !ok || string(raw) == "null" {
		return "", fmt.Errorf("the secret %s in AWS Secrets Manager has no key %q", r.Name, r.Key)
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	return string(raw), nil
}
