// Package account finds region and credentials the way all AWS tools do. It is
// apart from package awsclient since a packaged function, to which Lambda gives
// both in its environment, is megabytes smaller without it.
package account

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// Load is the SDK's default chain of environment, profile and role, for
// awsclient.Options.
func Load(ctx context.Context) (aws.Config, error) { return config.LoadDefaultConfig(ctx) }
