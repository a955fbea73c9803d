/**
 * A file system that passes every call on to another one: what wraps a disk (to die in a call, to plant a bug)
 * overrides what it is about. Any thread.
 */

import type { DiskSpace, FileDescriptor, FileSystem, OpenMode } from '../../src/storage/file-system.ts';

export class WrappedFileSystem implements FileSystem {
  protected readonly inner: FileSystem;

  constructor(inner: FileSystem) {
    this.inner = inner;
  }

  open(path: string, mode: OpenMode): FileDescriptor {
    return this.inner.open(path, mode);
  }

  openDirect(path: string): FileDescriptor | null {
    return this.inner.openDirect(path);
  }

  close(file: FileDescriptor): void {
    this.inner.close(file);
  }

  read(file: FileDescriptor, target: Uint8Array, position: number): number {
    return this.inner.read(file, target, position);
  }

  write(file: FileDescriptor, sources: readonly Uint8Array[], position: number): number {
    return this.inner.write(file, sources, position);
  }

  truncate(file: FileDescriptor, sizeBytes: number): void {
    this.inner.truncate(file, sizeBytes);
  }

  sizeOf(file: FileDescriptor): number {
    return this.inner.sizeOf(file);
  }

  sizeAt(path: string): number | null {
    return this.inner.sizeAt(path);
  }

  isDirectory(path: string): boolean {
    return this.inner.isDirectory(path);
  }

  list(path: string): string[] {
    return this.inner.list(path);
  }

  makeDirectory(path: string): void {
    this.inner.makeDirectory(path);
  }

  rename(from: string, to: string): void {
    this.inner.rename(from, to);
  }

  remove(path: string): void {
    this.inner.remove(path);
  }

  removeTree(path: string): void {
    this.inner.removeTree(path);
  }

  sync(file: FileDescriptor): void {
    this.inner.sync(file);
  }

  syncDirectory(path: string): void {
    this.inner.syncDirectory(path);
  }

  readLater(file: FileDescriptor, target: Uint8Array, position: number): Promise<number> {
    return this.inner.readLater(file, target, position);
  }

  syncLater(file: FileDescriptor): Promise<void> {
    return this.inner.syncLater(file);
  }

  syncDirectoryLater(path: string): Promise<void> {
    return this.inner.syncDirectoryLater(path);
  }

  removeTreeLater(path: string): Promise<void> {
    return this.inner.removeTreeLater(path);
  }

  removeLater(path: string): Promise<void> {
    return this.inner.removeLater(path);
  }

  spaceLater(path: string): Promise<DiskSpace> {
    return this.inner.spaceLater(path);
  }
}
