package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// files makes n files of about size bytes that hardly compress; the same seed makes the same files.
func files(seed uint64, n, size int) map[string][]byte {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make(map[string][]byte, n)
	for i := range n {
		data := make([]byte, size)
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		out[fmt.Sprintf("team-%d_rule-%d.yaml", i%7, i)] = data
	}
	return out
}

func TestPackIsDeterministicAndInvertible(t *testing.T) {
	for seed := range uint64(20) {
		in := files(seed, int(seed)*3, int(seed)*50)
		in["dir/deep/"+strings.Repeat("long", 50)+".yaml"] = []byte("x")
		first, err := Pack(in)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Pack(maps.Clone(in))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Fatal("the same files packed twice differ")
		}
		out, err := Unpack(first)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, out); diff != "" {
			t.Fatalf("unpacked differs (-want +got):\n%s", diff)
		}
	}
}

func TestPackRefuses(t *testing.T) {
	for _, name := range []string{"", ".", "..", "/abs", "a/../b", "../up", "a//b", "a/", "./a", ".hidden", "a/.b", "a\nb", `a\b`,
		strings.Repeat("x", 256), strings.Repeat("abc/", 300) + "x"} {
		if _, err := Pack(map[string][]byte{name: nil}); err == nil {
			t.Errorf("packed %q", name)
		}
	}
	if _, err := Pack(map[string][]byte{"a": nil, "a/b": nil}); err == nil {
		t.Error("packed a name that is a file and a directory")
	}
	if _, err := Pack(map[string][]byte{"a": make([]byte, MaxUnpacked)}); err == nil {
		t.Error("packed what Unpack would refuse")
	}
}

func TestUnpackRefuses(t *testing.T) {
	regular := func(name string, size int64) *tar.Header {
		return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size}
	}
	for name, headers := range map[string][]*tar.Header{
		"absolute":  {regular("/etc/passwd", 0)},
		"parent":    {regular("a/../../b", 0)},
		"duplicate": {regular("a", 0), regular("a", 0)},
		"directory": {{Typeflag: tar.TypeDir, Name: "a/"}},
		"symlink":   {{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc/passwd"}},
		"hard link": {regular("b", 0), {Typeflag: tar.TypeLink, Name: "a", Linkname: "b"}},
		"fifo":      {{Typeflag: tar.TypeFifo, Name: "a"}},
		"conflict":  {regular("a", 0), regular("a/b", 0)},
		"bomb":      {regular("a", MaxUnpacked), regular("b", 1)},
	} {
		if _, err := Unpack(rawArchive(t, headers)); err == nil {
			t.Errorf("%s: unpacked", name)
		}
	}
	good, err := Pack(map[string][]byte{"a": []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := Unpack(good[:n]); err == nil {
			t.Errorf("unpacked the first %d of %d bytes", n, len(good))
		}
	}
}

func rawArchive(t *testing.T, headers []*tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, h := range headers {
		if err := archive.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestBuckets(t *testing.T) {
	for seed := range uint64(10) {
		in := files(seed, 200, 500)
		const limit = 20_000
		buckets, err := Buckets(in, limit)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(buckets); n&(n-1) != 0 || n < 8 {
			t.Errorf("%d buckets", n)
		}
		union := map[string][]byte{}
		for i, b := range buckets {
			packed, err := new(Publisher).packFiles(b)
			if err != nil {
				t.Fatal(err)
			}
			if len(packed) > limit {
				t.Errorf("bucket %d is %d bytes", i, len(packed))
			}
			for _, f := range b {
				if union[f.Path], err = f.Content.Text(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if diff := cmp.Diff(in, union); diff != "" {
			t.Errorf("the buckets are not the files:\n%s", diff)
		}
		again, err := Buckets(maps.Clone(in), limit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(buckets, again, cmp.AllowUnexported(Content{})); diff != "" {
			t.Errorf("sharing out twice differs:\n%s", diff)
		}
	}
}

func TestBucketsNamesTheFileThatIsTooLarge(t *testing.T) {
	in := files(1, 20, 100)
	maps.Copy(in, map[string][]byte{"huge.yaml": files(2, 1, 50_000)["team-0_rule-0.yaml"]})
	if _, err := Buckets(in, 20_000); err == nil || !strings.Contains(err.Error(), `"huge.yaml"`) {
		t.Errorf("got %v", err)
	}
}

func FuzzUnpack(f *testing.F) {
	good, err := Pack(map[string][]byte{"a": []byte("x"), "b/c": []byte("y")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Unpack(data)
		if err != nil {
			return
		}
		// Whatever is let in can be packed again, which is where names and sizes are checked.
		if _, err := Pack(got); err != nil {
			t.Errorf("unpacked what cannot be packed: %v", err)
		}
	})
}

func FuzzPack(f *testing.F) {
	f.Add("a", []byte("x"), "rules/b", []byte("y"))
	f.Fuzz(func(t *testing.T, n1 string, d1 []byte, n2 string, d2 []byte) {
		in := map[string][]byte{n1: append([]byte{}, d1...), n2: append([]byte{}, d2...)}
		packed, err := Pack(in)
		if err != nil {
			return
		}
		out, err := Unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, out); diff != "" {
			t.Errorf("unpacked differs:\n%s", diff)
		}
	})
}
