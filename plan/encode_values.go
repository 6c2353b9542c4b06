package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// valuesJSON are values of a release in JSON that keeps apart what JSON lets
// run together: a float is written with a point or an exponent, a whole number
// without, and large whole numbers lose no digit.
type valuesJSON map[string]any

// MarshalJSON fails for values that JSON has no form for, such as .inf of YAML.
func (v valuesJSON) MarshalJSON() ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	var out bytes.Buffer
	if err := writeValue(&out, map[string]any(v)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (v *valuesJSON) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var read map[string]any
	if err := dec.Decode(&read); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("something follows the values")
	}
	if read == nil {
		*v = nil
		return nil
	}
	typed, err := readValue(read)
	if err != nil {
		return err
	}
	*v, _ = typed.(map[string]any)
	return nil
}

func writeValue(out *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case map[string]any:
		return writeMap(out, v)
	case []any:
		return writeList(out, v)
	case string:
		if !utf8.ValidString(v) {
			return fmt.Errorf("the value %.40q is not UTF-8", v)
		}
	case float64:
		return writeFloat(out, v)
	case float32:
		return writeFloat(out, float64(v))
	}
	// Booleans, null, whole numbers of any size, and what else has a form in JSON.
	plain, err := json.Marshal(v)
	if err != nil {
		return err
	}
	out.Write(plain)
	return nil
}

func writeMap(out *bytes.Buffer, m map[string]any) error {
	if m == nil {
		out.WriteString("null")
		return nil
	}
	separator := "{"
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out.WriteString(separator)
		if err := writeValue(out, key); err != nil {
			return err
		}
		out.WriteByte(':')
		if err := writeValue(out, m[key]); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		separator = ","
	}
	if separator == "{" {
		out.WriteByte('{')
	}
	out.WriteByte('}')
	return nil
}

func writeList(out *bytes.Buffer, list []any) error {
	if list == nil {
		out.WriteString("null")
		return nil
	}
	out.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := writeValue(out, v); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	out.WriteByte(']')
	return nil
}

func writeFloat(out *bytes.Buffer, f float64) error {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return fmt.Errorf("%v is no number that can be stored", f)
	}
	number := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(number, ".e") {
		number += ".0"
	}
	out.WriteString(number)
	return nil
}

// readValue gives numbers their types.
func readValue(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			typed, err := readValue(e)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			v[key] = typed
		}
		return v, nil
	case []any:
		for i, e := range v {
			typed, err := readValue(e)
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			v[i] = typed
		}
		return v, nil
	case json.Number:
		return readNumber(string(v))
	default:
		return v, nil
	}
}

func readNumber(number string) (any, error) {
	if strings.ContainsAny(number, ".eE") {
		return strconv.ParseFloat(number, 64)
	}
	if whole, err := strconv.ParseInt(number, 10, 64); err == nil {
		return whole, nil
	}
	return strconv.ParseUint(number, 10, 64)
}
