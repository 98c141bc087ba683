package flows

// Sample is a value that fits the named schema, to show how a message looks:
// the first of the schema's own examples, else one made from its properties. It
// is nil when there is no such schema.
func (a *App) Sample(schema string) any {
	s, ok := a.schemas.plain[schema]
	if !ok {
		return nil
	}
	return a.sample(s, schema, 0)
}

func (a *App) sample(schema any, name string, depth int) any {
	m, ok := schema.(map[string]any)
	if !ok || depth > 8 {
		return nil
	}
	if list, ok := m["examples"].([]any); ok && len(list) > 0 {
		return list[0]
	}
	for _, key := range []string{"const", "default"} {
		if v, ok := m[key]; ok {
			return v
		}
	}
	if list, ok := m["enum"].([]any); ok && len(list) > 0 {
		return list[0]
	}
	if ref, ok := m["$ref"].(string); ok {
		to, in := a.schemas.resolve(ref, name)
		return a.sample(to, in, depth+1)
	}
	switch m["type"] {
	case "string":
		return "text"
	case "integer", "number":
		return 1
	case "boolean":
		return true
	case "array":
		return []any{a.sample(m["items"], name, depth+1)}
	}
	props, _ := m["properties"].(map[string]any)
	out := map[string]any{}
	for field, p := range props {
		out[field] = a.sample(p, name, depth+1)
	}
	return out
}
