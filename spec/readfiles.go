package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
)

// ReadFiles remembers which local files were read for a run, and what was in
// them: state files, values, patches, lock files, partials, and what templates
// and references read. The zero value is ready, and it is safe for concurrent
// use. Charts are not among them, nor are paths that Helm reads by itself.
type ReadFiles struct {
	mu      sync.Mutex
	digests map[string]map[string]bool // by path
}

// ReadFile is one file as it was read. A file that was another one when it was
// read again is there twice.
type ReadFile struct {
	Path   string // as it was opened; "-" for standard input
	Digest string // sha256:... of its content
}

// Add remembers a file. A nil receiver remembers nothing.
func (r *ReadFiles) Add(path string, content []byte) {
	if r == nil {
		return
	}
	sum := sha256.Sum256(content)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.digests == nil {
		r.digests = map[string]map[string]bool{}
	}
	if r.digests[path] == nil {
		r.digests[path] = map[string]bool{}
	}
	r.digests[path]["sha256:"+hex.EncodeToString(sum[:])] = true
}

// All lists the files, ordered by path and digest.
func (r *ReadFiles) All() []ReadFile {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []ReadFile
	for path, digests := range r.digests {
		for _, digest := range slices.Sorted(maps.Keys(digests)) {
			all = append(all, ReadFile{path, digest})
		}
	}
	slices.SortFunc(all, func(a, b ReadFile) int {
		return strings.Compare(a.Path+"\x00"+a.Digest, b.Path+"\x00"+b.Digest)
	})
	return all
}

// read reads a file within bounds, and remembers it.
func (o LoadOptions) read(file string) ([]byte, error) {
	if text, edited := o.Edited[file]; edited {
		return text, nil
	}
	text, err := readBounded(file)
	if err == nil {
		o.ReadFiles.Add(file, text)
	}
	return text, err
}
