package engine

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Key splits a config field's `yaml` tag into its key and whether an author
// must give it. A field without the tag is not the author's.
func Key(f reflect.StructField) (key string, required bool) {
	key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key, option == "required"
}

// SetDefaults gives the fields of a config struct what their `default` tags
// say. The loader calls it before it decodes what the author wrote. A tag that
// does not fit its field is a mistake of the program and panics.
func SetDefaults(config any) {
	v := reflect.ValueOf(config).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		text, ok := f.Tag.Lookup("default")
		if !ok {
			continue
		}
		if err := setDefault(v.Field(i), text); err != nil {
			panic(fmt.Sprintf("%s.%s: default %q: %v", v.Type(), f.Name, text, err))
		}
	}
}

func setDefault(v reflect.Value, text string) error {
	switch p := v.Addr().Interface().(type) {
	case expr.Field:
		p.Set(defaultTree(text))
		return nil
	case encoding.TextUnmarshaler:
		return p.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		v.SetInt(n)
		return err
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		v.SetFloat(n)
		return err
	default:
		return fmt.Errorf("a %s has no default", v.Type())
	}
	return nil
}

func defaultTree(text string) *expr.Tree {
	if n, err := strconv.Atoi(text); err == nil {
		return &expr.Tree{Const: n}
	}
	if b, err := strconv.ParseBool(text); err == nil {
		return &expr.Tree{Const: b}
	}
	return expr.Text(text)
}

// FieldOf is a pointer to the first field of type T in a config struct, nil if
// it has none.
func FieldOf[T any](config any) *T {
	v := reflect.ValueOf(config).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			if p, ok := v.Field(i).Addr().Interface().(*T); ok {
				return p
			}
		}
	}
	return nil
}

// References are the fields of a config struct that name resources.
func References(config any) []Reference {
	v := reflect.ValueOf(config).Elem()
	var out []Reference
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			if r, ok := v.Field(i).Addr().Interface().(Reference); ok {
				out = append(out, r)
			}
		}
	}
	return out
}
