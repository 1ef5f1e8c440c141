/* map(path): the whole file as an ArrayBuffer by one plain, read-only mmap. What a view of the cache is compared with. */
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

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "map", NAPI_AUTO_LENGTH, map, NULL, &function) != napi_ok) return NULL;
  if (napi_set_named_property(env, exports, "map", function) != napi_ok) return NULL;
  return exports;
}
