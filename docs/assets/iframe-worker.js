// Browsers allow no Worker on pages read from the disk. Here the script of the search runs in a
// hidden frame instead, with the few functions of a worker that it calls.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.scope = frame.contentWindow
      const load = source => new Promise((resolve, reject) => {
        const script = this.scope.document.createElement("script")
        script.src = source
        script.onload = resolve
        script.onerror = reject
        this.scope.document.head.append(script)
      })
      this.scope.postMessage = data => {
        const event = new MessageEvent("message", {data})
        this.dispatchEvent(event)
        this.onmessage?.(event)
      }
      this.scope.importScripts = (...sources) => Promise.all(sources.map(load))
      this.ready = load(url)
    }

    postMessage(data) {
      this.ready.then(() => {
        this.scope.dispatchEvent(new MessageEvent("message", {data}))
      })
    }

    terminate() {
      this.scope.frameElement.remove()
    }
  }
}
