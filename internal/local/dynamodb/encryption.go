package dynamodb

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// checkEncryption checks an SSESpecification, nil when there is none.
func checkEncryption(spec request) error {
	off := spec.has("Enabled") && !spec.boolean("Enabled")
	switch {
	case off && spec.has("SSEType"):
		return invalidParameter("SSEType can not be specified if Enabled is false")
	case off && spec.has("KMSMasterKeyId"):
		return invalidParameter("KMSMasterKeyId can not be specified if Enabled is false")
	case spec.str("SSEType") == "AES256":
		return invalidParameter("SSEType AES256 is not supported")
	case spec.has("KMSMasterKeyId") && !spec.has("SSEType"):
		return invalidParameter("SSEType KMS is required if KMSMasterKeyId is specified")
	}
	return nil
}

// encrypts says whether a specification that has been checked asks for a key of KMS.
func encrypts(spec request) bool { return spec.boolean("Enabled") || spec.has("SSEType") }

func (s *Service) changeEncryption(t *table, spec request) error {
	switch {
	case spec == nil:
		return nil
	case !encrypts(spec) && !t.Encrypted:
		return invalidParameter("Table is already encrypted by default")
	case t.Encrypted && spec.str("KMSMasterKeyId") == s.keyARN(t.KeyID):
		return invalidParameter("Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want to change Master Key")
	}
	t.Encrypted, t.KeyID = encrypts(spec), spec.str("KMSMasterKeyId")
	return nil
}

// keyARN is the ARN of the key with this id, ARN or alias. There is no KMS to ask, so that the key of an alias is one
// that is made of its name.
func (s *Service) keyARN(id string) string {
	const own = "alias/aws/dynamodb"
	if id == "" {
		id = own
	}
	if strings.HasPrefix(id, "arn:") {
		_, alias, ok := strings.Cut(id, ":alias/")
		if !ok {
			return id
		}
		id = "alias/" + alias
	}
	if strings.HasPrefix(id, "alias/") {
		sum := sha256.Sum256([]byte(s.region + s.account + id))
		id = formatID([16]byte(sum[:16]))
	}
	return fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", s.region, s.account, id)
}

func (s *Service) describeEncryption(t *table, status string) object {
	return object{"Status": status, "SSEType": "KMS", "KMSMasterKeyArn": s.keyARN(t.KeyID)}
}

// describeEncryptionChange is the answer to a change, in which the key is still the one before.
func (s *Service) describeEncryptionChange(was *table) object {
	if !was.Encrypted {
		return object{"Status": "UPDATING"}
	}
	return s.describeEncryption(was, "UPDATING")
}
