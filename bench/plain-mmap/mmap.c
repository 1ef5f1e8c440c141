/* map(path): the whole file as an ArrayBuffer by one plain, read-only mmap. What a view of the cache is compared with.
   sum(buffer): of its 64-bit words, as fast as memory gives them: a loop in JavaScript would hide what memory costs. */
#include <fcntl.h>
#include <limits.h>
#include <node_api.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void unmap(napi_env env, void *data, void *size) {
  (void)env;
  munmap(data, (size_t)(uintptr_t)size);
}

static void *map_file(const char *path, size_t *size) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return MAP_FAILED;
  struct stat status;
  void *data = MAP_FAILED;
  if (fstat(file, &status) == 0) {
    *size = (size_t)status.st_size;
    data = mmap(NULL, *size, PROT_READ, MAP_SHARED, file, 0);
  }
  close(file);
  return data;
}

static napi_value map(napi_env env, napi_callback_info info) {
  napi_value argument, buffer;
  size_t count = 1, length, size;
  char path[PATH_MAX];
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok) return NULL;
  if (napi_get_value_string_utf8(env, argument, path, sizeof path, &length) != napi_ok) return NULL;
  void *data = map_file(path, &size);
  if (data == MAP_FAILED) {
    napi_throw_error(env, NULL, "the file could not be mapped");
    return NULL;
  }
  if (napi_create_external_arraybuffer(env, data, size, unmap, (void *)(uintptr_t)size, &buffer) != napi_ok) return NULL;
  return buffer;
}

static napi_value sum(napi_env env, napi_callback_info info) {
  napi_value argument, result;
  size_t count = 1, length;
  void *data;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok) return NULL;
  if (napi_get_buffer_info(env, argument, &data, &length) != napi_ok) return NULL;
  uint64_t total = 0;
  const uint64_t *words = data;
  for (size_t at = 0; at < length / sizeof *words; at++) total += words[at];
  if (napi_create_bigint_uint64(env, total, &result) != napi_ok) return NULL;
  return result;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"map", NULL, map, NULL, NULL, NULL, napi_enumerable, NULL},
      {"sum", NULL, sum, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  if (napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions) != napi_ok) return NULL;
  return exports;
}
