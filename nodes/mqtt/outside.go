package mqtt

import "net/url"

// Outside is the URL of the broker that the author named, "" for the one that
// the process brings along. It may be called once the resource's expressions
// are compiled.
func (b *Broker) Outside() (string, error) { return b.URL.Get(atStart()) }

// Redacted is a broker's URL as it may be shown: without user and password.
func Redacted(broker string) string {
	u, err := url.Parse(broker)
	if err != nil {
		return "a url that cannot be read"
	}
	u.User = nil
	return u.String()
}
