package dynamodb

import "time"

// stream is a table's stream setting. There is nothing to read from a stream here; the setting is kept and described so
// that definitions of tables that turn one on can be used as they are.
type stream struct {
	View string `json:",omitempty"` // "" while there is no stream
	// Label is that of the latest stream, which the service describes after its end too.
	Label string `json:",omitempty"`
}

func newStream(view string, now time.Time) stream {
	return stream{View: view, Label: now.UTC().Format("2006-01-02T15:04:05.000")}
}

// readStream reads the setting of a new table.
func readStream(spec request, now time.Time) (stream, error) {
	enabled, view := spec.boolean("StreamEnabled"), spec.str("StreamViewType")
	switch {
	case enabled && view == "":
		return stream{}, invalidParameter("Table is being created with a stream enabled, UpdateViewType is required")
	case !enabled && view != "":
		return stream{}, invalidParameter("Table is being created with a stream disabled, UpdateViewType should not be specified")
	case enabled:
		return newStream(view, now), nil
	}
	return stream{}, nil
}

// checkStreamUpdate checks what needs no table.
func checkStreamUpdate(spec request) error {
	enabled, view := spec.boolean("StreamEnabled"), spec.str("StreamViewType")
	switch {
	case enabled && view == "":
		return invalidParameter("If stream is being enabled then UpdateViewType is required")
	case !enabled && view != "":
		return invalidParameter("If stream is being disabled, then UpdateViewType must not be specified")
	}
	return nil
}

func (t *table) changeStream(spec request, now time.Time) error {
	enabled := spec.boolean("StreamEnabled")
	switch {
	case spec == nil:
		return nil
	case enabled && t.Stream.View != "":
		return invalid("Table already has an enabled stream: TableName: %s", t.Name)
	case !enabled && t.Stream.View == "":
		return invalid("Table has no stream to disable: TableName: %s", t.Name)
	case enabled:
		t.Stream = newStream(spec.str("StreamViewType"), now)
	default:
		t.Stream.View = ""
	}
	return nil
}

func (s *Service) describeStream(d object, t *table) {
	if t.Stream.View != "" {
		d["StreamSpecification"] = object{"StreamEnabled": true, "StreamViewType": t.Stream.View}
	}
	if t.Stream.Label != "" {
		d["LatestStreamLabel"] = t.Stream.Label
		d["LatestStreamArn"] = s.arn(t) + "/stream/" + t.Stream.Label
	}
}
