const root = document.documentElement;
const drawn = new Set();
let specs = {};

// Without drawings the tables stand open; with them they are one click away.
for (const item of document.querySelectorAll('details.table')) {
  item.open = !item.closest('section').querySelector('.chart') && item.querySelectorAll('tr').length < 12;
}

function colour(name) {
  return getComputedStyle(root).getPropertyValue(name).trim();
}

function themed(layout) {
  const ink = colour('--ink'), grid = colour('--grid'), clear = 'rgba(0,0,0,0)';
  const narrow = innerWidth < 600;
  const out = {...layout, paper_bgcolor: clear, plot_bgcolor: clear, autosize: true};
  out.font = {...layout.font, color: ink, size: narrow ? 11 : 12, family: getComputedStyle(document.body).fontFamily};
  out.hoverlabel = {bgcolor: colour('--card'), bordercolor: colour('--line'), font: {color: ink}};
  // A finger that scrolls must not zoom.
  out.dragmode = matchMedia('(pointer: coarse)').matches ? false : 'zoom';
  for (const key of Object.keys(layout)) {
    if (/^[xy]axis/.test(key)) out[key] = {...layout[key], gridcolor: grid, linecolor: grid, tickcolor: grid};
  }
  return out;
}

function draw(box) {
  const spec = specs[box.id];
  drawn.add(box);
  const narrow = innerWidth < 600;
  const data = spec.data.map(part => part.type === 'heatmap' ? {...part, showscale: !narrow} : part);
  return Plotly.react(box, data, themed(spec.layout),
    {responsive: true, displaylogo: false, displayModeBar: false});
}

function redraw() {
  for (const box of drawn) draw(box);
}

async function unpack(element) {
  const packed = Uint8Array.from(atob(element.textContent.trim()), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}

function plain() {
  root.classList.add('plain');
  for (const item of document.querySelectorAll('details.table')) item.open = true;
}

function switchTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  try { localStorage.setItem('theme', root.dataset.theme); } catch (e) { /* a file may not store */ }
  redraw();
}

async function start() {
  document.getElementById('theme').addEventListener('click', switchTheme);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  const boxes = [...document.querySelectorAll('.chart')];
  if (!boxes.length) return;
  if (!window.DecompressionStream) return plain();
  // First the words are painted, then plotly is unpacked.
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  try {
    specs = JSON.parse(document.getElementById('figures').textContent);
    const code = document.createElement('script');
    code.textContent = await unpack(document.getElementById('plotly'));
    document.head.append(code);
  } catch (error) {
    console.error(error);
    return plain();
  }
  const watch = new IntersectionObserver(found => {
    for (const item of found) {
      if (item.isIntersecting) { watch.unobserve(item.target); draw(item.target); }
    }
  }, {rootMargin: '400px'});
  for (const box of boxes) watch.observe(box);
  let theme;
  addEventListener('beforeprint', () => {
    theme = root.dataset.theme;
    root.dataset.theme = 'light';
    for (const box of boxes) { watch.unobserve(box); draw(box); Plotly.relayout(box, {width: 680}); }
  });
  addEventListener('afterprint', () => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    redraw();
  });
  root.dataset.ready = 'yes';
}
