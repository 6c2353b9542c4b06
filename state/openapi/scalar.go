package openapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
)

// fits reports whether a value, not null, has the type of the schema.
func (n *node) fits(value any) bool {
	if n.intOrString || n.quantity {
		_, text := value.(string)
		number, isNumber := numberOf(value)
		return text || isNumber && (n.quantity || number == math.Trunc(number))
	}
	switch n.types {
	case "":
		return true
	case "object":
		_, ok := value.(map[string]any)
		return ok
	case "array":
		_, ok := value.([]any)
		return ok
	case "string":
		_, ok := value.(string)
		return ok
	case "boolean":
		_, ok := value.(bool)
		return ok
	case "number":
		_, ok := numberOf(value)
		return ok
	case "integer":
		number, ok := numberOf(value)
		return ok && number == math.Trunc(number)
	default:
		return false
	}
}

// wanted names the type of the schema for people.
func (n *node) wanted() string {
	switch {
	case n.quantity:
		return "an amount such as 500m or 1Gi"
	case n.intOrString:
		return "an integer or a string"
	}
	switch n.types {
	case "object":
		return "an object"
	case "array":
		return "a list"
	case "string":
		return "a string"
	case "boolean":
		return "true or false"
	case "number":
		return "a number"
	case "integer":
		return "an integer"
	default:
		return fmt.Sprintf("the type %q", n.types)
	}
}

// kindOf names what a value is, and not the value: it may be secret.
func kindOf(value any) string {
	switch value := value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	default:
		if number, ok := numberOf(value); ok && number == math.Trunc(number) {
			return "an integer"
		}
		return "a number"
	}
}

func numberOf(value any) (float64, bool) {
	switch value := value.(type) {
	case float64:
		return value, true
	case int64:
		return float64(value), true
	case int:
		return float64(value), true
	case json.Number:
		f, err := value.Float64()
		return f, err == nil
	default:
		return 0, false
	}
}

func (c *checker) scalar(n *node, value any, at place) {
	switch value := value.(type) {
	case string:
		c.text(n, value, at)
	case bool:
	default:
		if number, ok := numberOf(value); ok {
			c.number(n, number, at)
		}
	}
	if unset := n.goes && value == ""; len(n.enum) > 0 && !unset && !slices.ContainsFunc(n.enum, func(allowed any) bool { return equal(allowed, value) }) {
		c.fault(FaultValue, at.path, "%s is none of %s", quoted(value), among(n.enum))
	}
}

func (c *checker) text(n *node, text string, at place) {
	if n.pattern != nil && !n.pattern.MatchString(text) {
		c.fault(FaultValue, at.path, "%q does not match the pattern %s", text, n.pattern)
	}
	if l := n.limits; l != nil {
		length := int64(utf8.RuneCountInString(text))
		if l.MinLength != nil && length < *l.MinLength {
			c.fault(FaultValue, at.path, "want at least %s, got %d", plural(*l.MinLength, "character"), length)
		}
		if l.MaxLength != nil && length > *l.MaxLength {
			c.fault(FaultValue, at.path, "want at most %s, got %d", plural(*l.MaxLength, "character"), length)
		}
	}
	if n.quantity {
		if _, err := resource.ParseQuantity(text); err != nil && text != "" {
			c.fault(FaultValue, at.path, "%q is no amount such as 500m or 1Gi", text)
		}
	}
	if !n.formed(text) {
		c.fault(FaultValue, at.path, "want a string of the format %s", n.format)
	}
}

// formed reports whether text has the format of the schema. Of Go types only
// two formats are looked at by decoding; the others, and names that nobody
// knows, mean nothing.
func (n *node) formed(text string) bool {
	switch {
	case n.format == "" || n.intOrString || n.quantity:
		return true
	case !n.goes:
		return !strfmt.Default.ContainsName(n.format) || strfmt.Default.Validates(n.format, text)
	case n.format == "byte":
		_, err := base64.StdEncoding.DecodeString(text)
		return err == nil
	case n.format == "date-time":
		_, err := time.Parse(time.RFC3339, text)
		return err == nil
	default:
		return true
	}
}

func (c *checker) number(n *node, number float64, at place) {
	if (n.format == "int32" || n.goes && n.intOrString) && (number < math.MinInt32 || number > math.MaxInt32) {
		c.fault(FaultValue, at.path, "%s does not fit into 32 bits", quoted(number))
	}
	l := n.limits
	if l == nil {
		return
	}
	if low := l.Minimum; low != nil && (number < *low || number == *low && l.ExclusiveMinimum) {
		c.fault(FaultValue, at.path, "want %s %s, got %s", bound("at least", "more than", l.ExclusiveMinimum), quoted(*low), quoted(number))
	}
	if high := l.Maximum; high != nil && (number > *high || number == *high && l.ExclusiveMaximum) {
		c.fault(FaultValue, at.path, "want %s %s, got %s", bound("at most", "less than", l.ExclusiveMaximum), quoted(*high), quoted(number))
	}
	if step := l.MultipleOf; step != nil && *step != 0 {
		if q := number / *step; math.Abs(q-math.Round(q)) > 1e-9 {
			c.fault(FaultValue, at.path, "want a multiple of %s, got %s", quoted(*step), quoted(number))
		}
	}
}

func bound(inclusive, exclusive string, excludes bool) string {
	if excludes {
		return exclusive
	}
	return inclusive
}

// count checks how many elements a list has, or fields an object.
func (c *checker) count(n *node, what string, count int, at place) {
	if n.limits == nil {
		return
	}
	low, high := n.limits.MinItems, n.limits.MaxItems
	if what == "field" {
		low, high = n.limits.MinProperties, n.limits.MaxProperties
	}
	if low != nil && int64(count) < *low {
		c.fault(FaultValue, at.path, "want at least %s, got %d", plural(*low, what), count)
	}
	if high != nil && int64(count) > *high {
		c.fault(FaultValue, at.path, "want at most %s, got %d", plural(*high, what), count)
	}
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatInt(n, 10) + " " + what + "s"
}

func equal(a, b any) bool {
	if x, ok := numberOf(a); ok {
		y, ok := numberOf(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

// quoted prints a value in one line, as JSON does.
func quoted(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}

// among lists what is allowed, not endlessly.
func among(values []any) string {
	const most = 12
	var names []string
	for i, v := range values {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(values)-most))
			break
		}
		names = append(names, quoted(v))
	}
	return strings.Join(names, ", ")
}

// suggest names the field that was perhaps meant, as the end of a sentence.
func (n *node) suggest(name string) string {
	best, distance := "", 3
	for _, field := range slices.Sorted(maps.Keys(n.fields)) {
		if strings.EqualFold(field, name) {
			return fmt.Sprintf(", did you mean %s?", field)
		}
		if d := editDistance(name, field); d < distance && d*3 <= len(name) {
			best, distance = field, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %s?", best)
}

// editDistance is Levenshtein's, in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// comparePaths orders paths by their parts, indices by number.
func comparePaths(a, b string) int {
	return slices.CompareFunc(pathParts(a), pathParts(b), func(x, y string) int {
		m, errM := strconv.Atoi(x)
		n, errN := strconv.Atoi(y)
		if errM == nil && errN == nil {
			return m - n
		}
		return strings.Compare(x, y)
	})
}

func pathParts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}
