package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// unknownKey is the error for a key that no field has, with the nearest known
// one where it is near.
func unknownKey(key string, known map[string]int) error {
	names := slices.Sorted(maps.Keys(known))
	if best := Nearest(key, names); best != "" {
		return fmt.Errorf("unknown key %q, did you mean %q?", short(key), best)
	}
	if len(names) > 12 {
		return fmt.Errorf("unknown key %q", short(key))
	}
	return fmt.Errorf("unknown key %q, known are %s", short(key), strings.Join(names, ", "))
}

// Nearest finds the name that differs least, at most a third of the key;
// empty: none is near.
func Nearest(key string, names []string) string {
	if len(key) > 64 {
		return ""
	}
	best, least := "", max(len(key)/3, 1)+1
	for _, name := range names {
		if strings.EqualFold(key, name) {
			return name
		}
		if n := distance(key, name); n < least {
			best, least = name, n
		}
	}
	return best
}

// distance counts the inserted, deleted, replaced and swapped bytes between
// two words.
func distance(a, b string) int {
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}
