package main

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// inode identifies a file that may have several names.
type inode struct{ device, number uint64 }

// writeLayer writes all files below a directory in the order of their names, with their owners and modes, and one time.
func writeLayer(writer io.Writer, root string, modified time.Time) error {
	archive := tar.NewWriter(writer)
	names := map[inode]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return addEntry(archive, names, path, filepath.ToSlash(name), info, modified)
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

func addEntry(archive *tar.Writer, names map[inode]string, path, name string, info fs.FileInfo, modified time.Time) error {
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		link = target
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	header.Name = name
	if info.IsDir() {
		header.Name += "/"
	}
	header.Uname, header.Gname = "", "" // names of this machine's users
	header.ModTime, header.AccessTime, header.ChangeTime = modified, time.Time{}, time.Time{}
	header.Format = tar.FormatPAX
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Nlink > 1 && info.Mode().IsRegular() {
		file := inode{uint64(stat.Dev), stat.Ino}
		if first, seen := names[file]; seen {
			header.Typeflag, header.Linkname, header.Size = tar.TypeLink, first, 0
		} else {
			names[file] = name
		}
	}
	if err := archive.WriteHeader(header); err != nil || header.Typeflag != tar.TypeReg {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(archive, file)
	return err
}
