// Package file is the format of saved plans: one file with the plan and the
// charts that it needs, which says its version and is refused when a byte of it
// is missing or another one.
//
// The file begins with two lines of text, the version of the format and a
// digest of all else. A tar archive follows: plan.json.gz, and the archive of
// each chart under charts/. The digest finds damage; it is no signature.
package file

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/plan"
)

// Version is the version of the format that this program writes, and the only
// one that it reads.
const Version = 2

// The ways in which a file is refused.
var (
	ErrNoPlan  = errors.New("it is no plan that flotilla saved")
	ErrVersion = errors.New("it has another version of the format")
	ErrDamaged = errors.New("it is damaged: it is not what was saved")
)

const (
	magic     = "flotilla plan "
	planEntry = "plan.json.gz"
	chartsDir = "charts/"
	// maxPlan bounds the plan when it is decompressed.
	maxPlan = 1 << 30
)

// Pack makes the bytes of a file. charts are archives by digest, all that
// s.Charts lists. Equal plans give equal bytes.
func Pack(s *plan.Saved, charts map[string][]byte) ([]byte, error) {
	encoded, err := plan.Encode(s)
	if err != nil {
		return nil, err
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if _, err := zip.Write(encoded); err != nil {
		return nil, fmt.Errorf("compressing the plan: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("compressing the plan: %w", err)
	}
	entries := []entry{{planEntry, zipped.Bytes()}}
	for _, digest := range s.Charts() {
		archive, ok := charts[digest]
		if !ok {
			return nil, fmt.Errorf("packing the plan: chart %s is not there", digest)
		}
		entries = append(entries, entry{chartsDir + digest, archive})
	}
	body, err := tarred(entries)
	if err != nil {
		return nil, fmt.Errorf("packing the plan: %w", err)
	}
	first := magic + strconv.Itoa(Version) + "\n"
	return slices.Concat([]byte(first), []byte(digestOf(first, body)+"\n"), body), nil
}

type entry struct {
	name string
	data []byte
}

func tarred(entries []entry) ([]byte, error) {
	var out bytes.Buffer
	pack := tar.NewWriter(&out)
	for _, e := range entries {
		if err := pack.WriteHeader(&tar.Header{Name: e.name, Mode: 0o600, Size: int64(len(e.data)), Format: tar.FormatPAX}); err != nil {
			return nil, err
		}
		if _, err := pack.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := pack.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func digestOf(first string, body []byte) string {
	sum := sha256.New()
	io.WriteString(sum, first) // a hash never fails
	sum.Write(body)
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// Unpack reads what Pack made. Its errors are ErrNoPlan, ErrVersion and
// ErrDamaged, each with what the user can do.
func Unpack(data []byte) (*plan.Saved, map[string][]byte, error) {
	first, rest, ok := strings.Cut(string(data[:min(len(data), 200)]), "\n")
	number, isPlan := strings.CutPrefix(first, magic)
	version, err := strconv.Atoi(number)
	if !isPlan || err != nil {
		return nil, nil, ErrNoPlan
	}
	if version != Version {
		return nil, nil, fmt.Errorf("%w: %d, and this program reads %d; apply it with the version of flotilla that saved it, or plan anew", ErrVersion, version, Version)
	}
	digest, _, whole := strings.Cut(rest, "\n")
	if !ok || !whole {
		return nil, nil, damaged(nil)
	}
	body := data[len(first)+len(digest)+2:]
	if digestOf(first+"\n", body) != digest {
		return nil, nil, damaged(nil)
	}
	s, charts, err := untarred(body)
	if err != nil {
		return nil, nil, damaged(err)
	}
	for _, needed := range s.Charts() {
		if charts[needed] == nil {
			return nil, nil, damaged(fmt.Errorf("chart %s is not in it", needed))
		}
	}
	return s, charts, nil
}

func damaged(why error) error {
	const advice = "copy it once more, or plan anew"
	if why == nil {
		return fmt.Errorf("%w; %s", ErrDamaged, advice)
	}
	return fmt.Errorf("%w: %w; %s", ErrDamaged, why, advice)
}

func untarred(body []byte) (*plan.Saved, map[string][]byte, error) {
	entries := map[string][]byte{}
	pack := tar.NewReader(bytes.NewReader(body))
	for {
		head, err := pack.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if entries[head.Name], err = io.ReadAll(pack); err != nil {
			return nil, nil, err
		}
	}
	encoded, err := unzipped(entries[planEntry])
	if err != nil {
		return nil, nil, err
	}
	s, err := plan.Decode(encoded)
	if err != nil {
		return nil, nil, err
	}
	charts := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if digest, ok := strings.CutPrefix(name, chartsDir); ok {
			charts[digest] = entries[name]
		}
	}
	return s, charts, nil
}

func unzipped(data []byte) ([]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(zip, maxPlan+1))
	if err == nil && len(plain) > maxPlan {
		err = fmt.Errorf("the plan is larger than %d MiB", maxPlan>>20)
	}
	return plain, err
}
