package account

import (
	"path/filepath"
	"testing"
)

func TestTheAccountIsTheOneOfTheEnvironmentAndTheProfile(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none} {
		t.Setenv(name, value)
	}
	cfg, err := Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	who, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || cfg.Region != "eu-west-1" || who.AccessKeyID != "id" || who.SecretAccessKey != "key" {
		t.Errorf("%s, %+v, %v", cfg.Region, who, err)
	}
}
