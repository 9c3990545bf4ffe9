<?php
/**
 * The purchase for the browser, on the thank-you page.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Decides whether the thank-you page prints the purchase, and what it says.
 */
final class Purchase {

	/**
	 * The connection.
	 *
	 * @var Connection
	 */
	private $connection;

	/**
	 * Takes the connection.
	 *
	 * @param Connection $connection The connection.
	 */
	public function __construct( Connection $connection ) {
		$this->connection = $connection;
	}

	/**
	 * The block to print, once; null when there is nothing to print (any more). Writes the record that it was printed.
	 *
	 * @param \WC_Order $order Order whose key was in the address.
	 */
	public function take( \WC_Order $order ): ?array {
		if ( ! $this->is_due( $order, time() ) || $this->is_preload() || ! $this->claim( $order ) ) {
			return null;
		}
		return $this->describe( $order );
	}

	/**
	 * Whether the order is paid, recently, and was not printed before.
	 *
	 * @param \WC_Order $order Order.
	 * @param int       $now   Unix seconds.
	 */
	public function is_due( \WC_Order $order, int $now ): bool {
		if ( ! $order->has_status( $this->connection->paid_statuses() ) || '' !== OrderMeta::get( $order, 'printed_at' ) || '1' === OrderMeta::get( $order, 'browser_sent' ) ) {
			return false;
		}
		// Cash on delivery is never marked as paid: its time is the order's own.
		$paid = $order->get_date_paid() ?? $order->get_date_created();
		return null !== $paid && $now - $paid->getTimestamp() <= DAY_IN_SECONDS;
	}

	/**
	 * The purchase in TikTok's words.
	 *
	 * @param \WC_Order $order Order.
	 */
	public function describe( \WC_Order $order ): array {
		$event_id = OrderMeta::get( $order, 'event_id' );
		$name     = OrderMeta::get( $order, 'event_name' );
		$pixel    = OrderMeta::get( $order, 'pixel_code' );
		$contents = $this->contents( $order );
		return array(
			'event_id'   => '' === $event_id ? Ids::purchase( $this->connection->public_id(), $order->get_id(), $order->get_order_key() ) : $event_id,
			'event'      => '' === $name ? $this->connection->setting( 'purchase_event' ) : $name,
			'pixel_code' => '' === $pixel ? (string) $this->connection->setting( 'pixel_code' ) : $pixel,
			'order_id'   => (string) $order->get_id(),
			'value'      => $this->value( $order ),
			'currency'   => $order->get_currency(),
			'num_items'  => max( 1, (int) ceil( (float) $order->get_item_count() ) ),
			'contents'   => $contents,
		);
	}

	/**
	 * The value, by the owner's setting.
	 *
	 * @param \WC_Order $order Order.
	 */
	private function value( \WC_Order $order ): string {
		$basis = $this->connection->setting( 'value_basis' );
		$value = (float) $order->get_total();
		if ( 'total' !== $basis ) {
			$value -= (float) $order->get_total_tax();
		}
		if ( 'without_tax_and_shipping' === $basis ) {
			$value -= (float) $order->get_shipping_total();
		}
		return wc_format_decimal( $value, wc_get_price_decimals() );
	}

	/**
	 * The lines; one whose product was deleted since has nothing to be named by.
	 *
	 * @param \WC_Order $order Order.
	 */
	private function contents( \WC_Order $order ): array {
		$contents = array();
		foreach ( $order->get_items() as $line ) {
			if ( ! $line instanceof \WC_Order_Item_Product ) {
				continue;
			}
			$id = $this->content_id( $line );
			if ( null === $id ) {
				continue;
			}
			$quantity   = max( 1, (int) ceil( (float) $line->get_quantity() ) );
			$contents[] = array(
				'content_id'   => $id,
				'content_type' => 'product',
				'content_name' => wp_strip_all_tags( $line->get_name() ),
				'price'        => wc_format_decimal( (float) $line->get_total() / $quantity, wc_get_price_decimals() ),
				'quantity'     => $quantity,
			);
		}
		return $contents;
	}

	/**
	 * SKU, else variation id, else product id; null when WooCommerce knows none of them any more.
	 *
	 * @param \WC_Order_Item_Product $line Order line.
	 */
	private function content_id( \WC_Order_Item_Product $line ): ?string {
		$product = 'sku' === $this->connection->setting( 'content_id' ) ? $line->get_product() : false;
		$sku     = $product instanceof \WC_Product ? (string) $product->get_sku() : '';
		if ( '' !== $sku ) {
			return $sku;
		}
		$id = (int) ( $line->get_variation_id() ? $line->get_variation_id() : $line->get_product_id() );
		return $id > 0 ? (string) $id : null;
	}

	/**
	 * Whether the browser only loads the page in advance: nobody sees it yet.
	 */
	private function is_preload(): bool {
		foreach ( array( 'HTTP_SEC_PURPOSE', 'HTTP_PURPOSE', 'HTTP_X_MOZ' ) as $name ) {
			$purpose = isset( $_SERVER[ $name ] ) ? sanitize_text_field( wp_unslash( $_SERVER[ $name ] ) ) : '';
			if ( false !== stripos( $purpose, 'prefetch' ) || false !== stripos( $purpose, 'prerender' ) ) {
				return true;
			}
		}
		return isset( $_SERVER['REQUEST_METHOD'] ) && 'HEAD' === $_SERVER['REQUEST_METHOD'];
	}

	/**
	 * Records that the block is printed now; false when another request was first.
	 *
	 * From now on the browser may have sent it, whether its report comes or not: "has not" is no longer known, so the row that
	 * says so becomes the record.
	 *
	 * @param \WC_Order $order Order.
	 */
	private function claim( \WC_Order $order ): bool {
		$now  = gmdate( 'Y-m-d\TH:i:s+00:00' );
		$lock = 'pixel_connector_print_' . $order->get_id();
		if ( ! Lock::take( $lock ) ) {
			return false;
		}
		if ( OrderMetaRows::has( $order, 'browser_sent', '0' ) ) {
			$this->note_after_the_page( $order, $now, $lock );
			return true;
		}
		try {
			return $this->claim_anew( $order, $now );
		} finally {
			Lock::release( $lock );
		}
	}

	/**
	 * Writes the note once the page has left: the shopper would wait for the disk. Until then the lock speaks for it.
	 *
	 * @param \WC_Order $order Order.
	 * @param string    $now   Time of printing.
	 * @param string    $lock  Name of the lock that is held.
	 */
	private function note_after_the_page( \WC_Order $order, string $now, string $lock ): void {
		$note = static function () use ( $order, $now, $lock ) {
			AfterResponse::close();
			try {
				OrderMetaRows::swap( $order, 'browser_sent', '0', 'printed_at', $now );
			} finally {
				Lock::release( $lock );
			}
		};
		Guard::on( 'shutdown', $note, 30 ); // After the session is saved (20), before our order webhooks are written (40).
	}

	/**
	 * The same for an order without that row: one that was placed before the plugin came, or is kept elsewhere.
	 *
	 * @param \WC_Order $order Order.
	 * @param string    $now   Time, UTC ISO 8601.
	 */
	private function claim_anew( \WC_Order $order, string $now ): bool {
		$order->read_meta_data( true );
		if ( '' !== OrderMeta::get( $order, 'printed_at' ) ) {
			return false;
		}
		OrderMeta::set(
			$order,
			array(
				'printed_at'   => $now,
				'browser_sent' => null,
			)
		);
		OrderMeta::save_quietly( $order );
		return true;
	}
}
